// One key, one writer, many watchers on ten streams.

import { create, toBinary } from "@bufbuild/protobuf";
import { WatchRequestSchema } from "../../packages/etcd/src/proto/generated/etcdserverpb/watch_pb.ts";
import { Connection, type Address } from "./connection.ts";
import { dataFrame, firstHeaders, FLAG, FRAME, preparedRequest, setStream } from "./frames.ts";

const STREAMS = 10;
const PUT = "/etcdserverpb.KV/Put";
const WATCH = "/etcdserverpb.Watch/Watch";
const LONGEST_MS = 20_000;

export interface FanOut {
  readonly address: Address;
  readonly key: Uint8Array;
  /** A PutRequest of the key. */
  readonly put: Uint8Array;
  readonly watchers: number;
  readonly milliseconds: number;
  /** The next put waits until every watcher has heard of the one before. */
  readonly isInStep: boolean;
}

export interface FanOutResult {
  readonly events: number;
  readonly perSecond: number;
  /** In step: milliseconds from each put to the last watcher's event. */
  readonly delays: readonly number[];
  readonly generator: number;
}

/** Puts for a while, until every watcher has heard of everything. Throws if that takes too long. */
export async function fanOut(options: FanOut): Promise<FanOutResult> {
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => undefined);
  const fail = (error: Error): void => over.reject(error);
  const timer = setTimeout(() => fail(new Error("the watchers were not told in time")), LONGEST_MS);
  const done = Promise.withResolvers<void>();
  const created = Promise.withResolvers<void>();
  const delays: number[] = [];
  let [events, controls, puts, answers, until, putAt] = [0, 0, 0, 0, 0, 0];
  const writer = await Connection.open(options.address, PUT, {
    frame: ({ flags }) => {
      if ((flags & FLAG.endStream) === 0) return;
      answers++;
      if (!options.isInStep) next();
    },
    failed: fail,
  });
  const prepared = preparedRequest(options.put, writer.route);
  const next = (): void => {
    const now = performance.now();
    if (now >= until) {
      if (events >= puts * options.watchers) done.resolve();
      return;
    }
    const stream = 1 + 2 * puts++;
    putAt = now;
    if (stream === 1) {
      const message = Buffer.from(prepared.subarray(15));
      message.writeUInt32BE(1, 5);
      writer.write(Buffer.concat([firstHeaders(1, writer.route), message]));
      return;
    }
    const request = Buffer.from(prepared);
    setStream(request, 0, stream);
    writer.write(request);
  };
  const heard = (count: number): void => {
    if (count === 0) {
      if (++controls === options.watchers) created.resolve();
      return;
    }
    events += count;
    if (events < puts * options.watchers) return;
    if (options.isInStep) {
      delays.push(performance.now() - putAt);
      next();
    } else if (performance.now() >= until) done.resolve();
  };
  const listeners = await Promise.all(
    Array.from({ length: STREAMS }, (_, place) => {
      const watchers = Math.floor((options.watchers + place) / STREAMS);
      return listen(options, watchers, { heard, fail });
    }),
  );
  try {
    await Promise.race([created.promise, over.promise]);
    const cpu = process.cpuUsage();
    const began = performance.now();
    until = began + options.milliseconds;
    next();
    await Promise.race([done.promise, over.promise]);
    const took = performance.now() - began;
    const { user, system } = process.cpuUsage(cpu);
    const generator = (user + system) / 1000 / took;
    if (answers === 0) throw new Error("no put was answered");
    return { events, perSecond: (events / took) * 1000, delays, generator };
  } finally {
    clearTimeout(timer);
    for (const connection of [writer, ...listeners]) connection.close();
  }
}

/** Opens a stream with some watchers. `heard` gets the number of events of each answer. */
async function listen(
  { address, key }: FanOut,
  watchers: number,
  { heard, fail }: { readonly heard: (events: number) => void; readonly fail: (error: Error) => void },
): Promise<Connection> {
  let rest = Buffer.alloc(0);
  const connection = await Connection.open(address, WATCH, {
    wantsData: true,
    data: (_stream, bytes) => {
      const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      let at = 0;
      while (at + 5 <= all.length) {
        const end = at + 5 + all.readUInt32BE(at + 1);
        if (end > all.length) break;
        heard(eventsIn(all, at + 5, end));
        at = end;
      }
      rest = at === all.length ? Buffer.alloc(0) : Buffer.from(all.subarray(at));
    },
    frame: ({ type, flags }) => {
      if ((flags & FLAG.endStream) !== 0) fail(new Error("the server ended a watch"));
      if (type !== FRAME.data && type !== FRAME.headers) fail(new Error("unexpected frame"));
    },
    failed: fail,
  });
  const value = create(WatchRequestSchema, { requestUnion: { case: "createRequest", value: { key } } });
  const message = dataFrame(1, toBinary(WatchRequestSchema, value));
  const requests = Array.from({ length: watchers }, () => message);
  connection.write(Buffer.concat([firstHeaders(1, connection.route), ...requests]));
  return connection;
}

/** Counts the fields 11 of a WatchResponse. */
function eventsIn(bytes: Buffer, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end;) {
    const tag = bytes[at++] as number;
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] as number;
      if (shift < 28) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (tag === 0x5a) count++;
    if ((tag & 7) === 2) at += value;
  }
  return count;
}
