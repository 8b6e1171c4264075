// A load generator that costs little, so that what is measured is the server. Each client has one call under way;
// clients share at most ten connections, as Go's would.

import { Connection, type Address } from "./connection.ts";
import { dataFrame, firstHeaders, FLAG, FRAME, nextHeaders, preparedRequest, setStream } from "./frames.ts";
import type { FrameHead } from "./frames.ts";

const MOST_CONNECTIONS = 10;

export interface Load {
  readonly address: Address;
  /** "/service/method" */
  readonly path: string;
  /** Request messages, used in turn. */
  readonly messages: readonly Uint8Array[];
  readonly clients: number;
  /** How long new calls are made. */
  readonly milliseconds: number;
  /** How many calls are made at most. */
  readonly calls?: number;
  /** Each client sends its messages on one stream instead of a call for each. */
  readonly isStream?: boolean;
}

export interface LoadResult {
  readonly calls: number;
  readonly perSecond: number;
  /** Milliseconds of each call. */
  readonly latencies: readonly number[];
  /** Share of a core that the generator itself took. */
  readonly generator: number;
}

/** Calls as fast as the server answers. Throws if it refuses one. */
export async function load(options: Load): Promise<LoadResult> {
  const count = Math.min(options.clients, MOST_CONNECTIONS);
  const latencies: number[] = [];
  const source = new Source(options);
  const drives = await Promise.all(
    Array.from({ length: count }, (_, place) => {
      const clients = Math.floor((options.clients + place) / count);
      return Drive.open({ options, source, latencies, clients });
    }),
  );
  const cpu = process.cpuUsage();
  const began = performance.now();
  source.until = began + options.milliseconds;
  try {
    await Promise.all(drives.map((drive) => drive.run()));
  } finally {
    for (const drive of drives) drive.close();
  }
  const took = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  const perSecond = (latencies.length / took) * 1000;
  return { calls: latencies.length, perSecond, latencies, generator: (user + system) / 1000 / took };
}

/** The messages, until time or number is up. */
class Source {
  until = 0;
  readonly #prepared: readonly Buffer[];
  #left: number;
  #next = 0;

  constructor({ messages, calls = Infinity, isStream, address }: Load) {
    const route = { path: "", authority: "", scheme: address.ca === undefined ? "http" : "https" } as const;
    this.#prepared = messages.map((message) =>
      isStream ? dataFrame(0, message) : preparedRequest(message, route),
    );
    this.#left = calls;
  }

  next(now: number): Buffer | undefined {
    if (now >= this.until || this.#left === 0) return undefined;
    this.#left--;
    const prepared = this.#prepared[this.#next];
    this.#next = (this.#next + 1) % this.#prepared.length;
    return prepared;
  }
}

interface DriveParts {
  readonly options: Load;
  readonly source: Source;
  readonly latencies: number[];
  readonly clients: number;
}

/** The clients of one connection. */
class Drive {
  readonly #parts: DriveParts;
  /** When each stream's call began. */
  readonly #began = new Map<number, number>();
  readonly #answered = new Set<number>();
  readonly #over = Promise.withResolvers<void>();
  #connection!: Connection;
  #ended: number[] = [];
  #nextStream = 1;

  private constructor(parts: DriveParts) {
    this.#parts = parts;
  }

  static async open(parts: DriveParts): Promise<Drive> {
    const { address, path } = parts.options;
    const drive = new Drive(parts);
    drive.#connection = await Connection.open(address, path, {
      frame: (head) => drive.#frame(head),
      batch: () => drive.#batch(),
      failed: (error) => drive.#over.reject(error),
    });
    return drive;
  }

  /** Keeps the clients' calls under way until there is no next message. */
  run(): Promise<void> {
    const { clients, options, source } = this.#parts;
    const now = performance.now();
    for (let client = 0; client < clients; client++) {
      const request = source.next(now);
      if (request === undefined) break;
      const stream = this.#nextStream;
      this.#nextStream += 2;
      const { route } = this.#connection;
      this.#connection.write(stream === 1 ? firstHeaders(stream, route) : nextHeaders(stream, route));
      const message = Buffer.from(options.isStream ? request : request.subarray(15));
      message.writeUInt32BE(stream, 5);
      this.#connection.write(message);
      this.#began.set(stream, now);
    }
    if (this.#began.size === 0) this.#over.resolve();
    return this.#over.promise;
  }

  close(): void {
    this.#connection.close();
  }

  #frame({ type, flags, stream }: FrameHead): void {
    const ends = (flags & FLAG.endStream) !== 0;
    if (this.#parts.options.isStream) {
      if (ends) throw new Error("the server ended a stream");
      if (type === FRAME.data) this.#ended.push(stream);
      return;
    }
    if (type === FRAME.data) this.#answered.add(stream);
    if (!ends) return;
    if (!this.#answered.delete(stream)) throw new Error("the server refused a call");
    this.#ended.push(stream);
  }

  /** Takes the answers of one read and sends the calls that follow on them, in one piece. */
  #batch(): void {
    if (this.#ended.length === 0) return;
    const { source, latencies, options } = this.#parts;
    const now = performance.now();
    const requests: Buffer[] = [];
    const streams: number[] = [];
    let bytes = 0;
    for (const ended of this.#ended) {
      latencies.push(now - (this.#began.get(ended) ?? now));
      this.#began.delete(ended);
      const request = source.next(now);
      if (request === undefined) continue;
      const stream = options.isStream ? ended : this.#nextStream;
      if (!options.isStream) this.#nextStream += 2;
      this.#began.set(stream, now);
      requests.push(request);
      streams.push(stream);
      bytes += request.length;
    }
    this.#ended = [];
    if (bytes > 0) this.#send(requests, streams, bytes);
    else if (this.#began.size === 0) this.#over.resolve();
  }

  #send(requests: readonly Buffer[], streams: readonly number[], bytes: number): void {
    const piece = Buffer.allocUnsafe(bytes);
    let at = 0;
    requests.forEach((request, place) => {
      const stream = streams[place] as number;
      request.copy(piece, at);
      if (this.#parts.options.isStream) piece.writeUInt32BE(stream, at + 5);
      else setStream(piece, at, stream);
      at += request.length;
    });
    this.#connection.write(piece);
  }
}
