import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { Slabs } from "../../src/keyspace/slabs.ts";
import { decodeKeyValue, Version, withoutValue, writeKeyValue } from "../../src/keyspace/version.ts";
import { bigVarint, varint, WireError, WireReader } from "../../src/keyspace/wire.ts";
import { KeyValueSchema } from "../../src/proto/generated/mvccpb_pb.ts";

const bytes = fc.uint8Array({ maxLength: 300 });
const name = fc.uint8Array({ minLength: 1, maxLength: 300 });

describe("wire format", () => {
  test("a KeyValue is byte for byte what the generated code makes of it", () => {
    const slabs = new Slabs();
    const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    const fields = fc.record({
      main: count,
      create: count,
      version: count,
      lease: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    });
    fc.assert(
      fc.property(name, bytes, fields, (key, value, { main, create: createRevision, version, lease }) => {
        const message = create(KeyValueSchema, {
          key,
          value,
          lease,
          modRevision: BigInt(main),
          createRevision: BigInt(createRevision),
          version: BigInt(version),
        });
        const latin1Key = Buffer.from(key).toString("latin1");
        const text = Buffer.from(value).toString("latin1");
        const own = { key: latin1Key, main, sub: 0, create: createRevision, version, lease };
        const encoded = new Version(own, writeKeyValue(slabs, own, text), undefined).encoded;
        assert.equal(encoded, Buffer.from(toBinary(KeyValueSchema, message)).toString("latin1"));
        assert.deepEqual(decodeKeyValue(Buffer.from(encoded, "latin1")), { ...own, value: text });
        const bare = toBinary(KeyValueSchema, { ...message, value: new Uint8Array() });
        assert.equal(withoutValue(encoded), Buffer.from(bare).toString("latin1"));
      }),
    );
  });

  test("integers of every size come back", () => {
    fc.assert(
      fc.property(
        fc.maxSafeInteger(),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        (small, big) => {
          const text = `\x08${varint(small)}\x10${bigVarint(big)}`;
          const reader = new WireReader(Buffer.from(text, "latin1"));
          assert.equal(reader.next(), 1);
          assert.equal(reader.int(), small);
          assert.equal(reader.next(), 2);
          assert.equal(reader.big(), big);
          assert.equal(reader.next(), 0);
        },
      ),
    );
  });

  test("nonsense is refused, never read beyond its end, and never loops", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        const reader = new WireReader(Buffer.from(noise));
        try {
          while (reader.next() !== 0) reader.skip();
        } catch (error) {
          assert.ok(error instanceof WireError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
