import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { Keyspace } from "../../../src/keyspace/keyspace.ts";
import {
  WatchRequestSchema,
  WatchResponseSchema,
} from "../../../src/proto/generated/etcdserverpb/watch_pb.ts";
import type { StreamCall } from "../../../src/server/transport/call.ts";
import { WatchHub } from "../../../src/server/watch/hub.ts";
import { WatchStream } from "../../../src/server/watch/stream.ts";

const STREAMS = 10;
const WATCHERS_OF_A_STREAM = 100;
const ROOM_BYTES = 20_000;
const VALUE = "v".repeat(100);

/** A client that reads only when it is told to. Remembers the revisions that each watch was told. */
class SlowReader implements StreamCall {
  readonly metadata = {};
  readonly peer = { address: "", commonName: undefined };
  readonly heard = new Map<string, number[]>();
  mostWaiting = 0;
  #waiting: string[] = [];
  #bytes = 0;

  get isBehind(): boolean {
    return this.#bytes > ROOM_BYTES;
  }

  send(message: string): void {
    this.#waiting.push(message);
    this.#bytes += message.length;
    this.mostWaiting = Math.max(this.mostWaiting, this.#bytes);
  }

  end(error: unknown): void {
    throw error;
  }

  read(): void {
    for (const message of this.#waiting) {
      const { watchId, events } = fromBinary(WatchResponseSchema, Buffer.from(message, "latin1"));
      const list = this.heard.get(String(watchId)) ?? [];
      this.heard.set(String(watchId), list);
      for (const { kv } of events) list.push(Number(kv?.modRevision));
    }
    this.#waiting = [];
    this.#bytes = 0;
  }
}

const watching = (key: string, rangeEnd: string): Buffer => {
  const value = { key: Buffer.from(key), rangeEnd: Buffer.from(rangeEnd) };
  const request = create(WatchRequestSchema, { requestUnion: { case: "createRequest", value } });
  return Buffer.from(toBinary(WatchRequestSchema, request));
};

test("a thousand watchers hear everything once and in order, however slowly they read, and little waits for them", async () => {
  const step = fc.record({
    puts: fc.integer({ min: 1, max: 40 }),
    reads: fc.array(fc.nat(STREAMS - 1), { maxLength: STREAMS }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
      const keyspace = new Keyspace();
      const hub = new WatchHub(keyspace);
      const access = { read: () => undefined };
      const options = { hub, header: () => "", access, fragmentBytes: 1 << 20, progressInterval: 1e9 };
      const clients = Array.from({ length: STREAMS }, () => {
        const reader = new SlowReader();
        const stream = new WatchStream(options, reader);
        for (let watcher = 0; watcher < WATCHERS_OF_A_STREAM; watcher++) {
          stream.message(watcher % 2 === 0 ? watching("key", "") : watching("a", "z"));
        }
        reader.read();
        return { reader, stream };
      });
      const revisions: number[] = [];
      for (const { puts, reads } of steps) {
        for (let count = 0; count < puts; count++) {
          keyspace.put("key", VALUE, 0n);
          keyspace.commit();
          revisions.push(keyspace.revision);
          // Told in batches of several revisions, as a write of the log brings them.
          if (count % 5 === 4) hub.flush();
        }
        hub.flush();
        for (const place of new Set(reads)) readAll(clients[place] as (typeof clients)[number]);
      }
      for (const client of clients) readAll(client);
      for (let turn = 0; turn < 20; turn++) {
        await new Promise((resolve) => setImmediate(resolve));
        for (const client of clients) readAll(client);
      }
      for (const { reader, stream } of clients) {
        assert.equal(reader.heard.size, WATCHERS_OF_A_STREAM);
        for (const heard of reader.heard.values()) assert.deepEqual(heard, revisions);
        const one = revisions.length * (VALUE.length + 100);
        assert.ok(reader.mostWaiting <= ROOM_BYTES + one, `${reader.mostWaiting} bytes waited`);
        stream.closed();
      }
    }),
    { numRuns: 5 },
  );

  /** Reads what is there, and what the server sends when it sees that. */
  function readAll({ reader, stream }: { readonly reader: SlowReader; readonly stream: WatchStream }): void {
    for (let count = 0; count < WATCHERS_OF_A_STREAM; count++) {
      const wasBehind = reader.isBehind;
      reader.read();
      if (!wasBehind) return;
      stream.drained();
    }
  }
});
