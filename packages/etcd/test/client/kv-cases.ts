import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { compare, op } from "../../src/client/index.ts";
import type { EtcdClient } from "../../src/client/index.ts";
import { failsWith } from "./expect.ts";

const text = (value: Uint8Array | undefined) =>
  value === undefined ? undefined : Buffer.from(value).toString();

/** Reading and writing. */
export function kvCases(client: () => EtcdClient): void {
  describe("keys and values", { concurrency: true }, () => {
    it("writes, reads and deletes a key", async () => {
      assert.equal(await client().get("kv/one"), undefined);
      const first = await client().put("kv/one", "1", { prevKv: true });
      assert.equal(first.previous, undefined);
      const second = await client().put("kv/one", "2", { prevKv: true });
      assert.equal(text(second.previous?.value), "1");
      assert.ok(second.revision > first.revision);
      const read = await client().get("kv/one");
      assert.equal(text(read?.value), "2");
      assert.equal(read?.createRevision, first.revision);
      assert.equal(read?.modRevision, second.revision);
      assert.equal(read?.version, 2);
      assert.equal(read?.lease, 0n);
      assert.equal(text((await client().get("kv/one", { revision: first.revision }))?.value), "1");
      const gone = await client().delete({ key: "kv/one" }, { prevKv: true });
      assert.equal(gone.deleted, 1);
      assert.equal(text(gone.previous[0]?.value), "2");
      assert.equal((await client().delete({ key: "kv/one" })).deleted, 0);
    });

    it("selects by prefix and by range, with limits and counts", async () => {
      for (const key of ["r/a", "r/b", "r/b/c", "r0", "r/ü", "r/\u{10ffff}"]) await client().put(key, key);
      const under = await client().range({ prefix: "r/" });
      assert.deepEqual(
        under.kvs.map((kv) => kv.key),
        ["r/a", "r/b", "r/b/c", "r/ü", "r/\u{10ffff}"],
      );
      assert.equal(under.count, 5);
      const cut = await client().range({ prefix: "r/" }, { limit: 2, keysOnly: true });
      assert.equal(cut.kvs.length, 2);
      assert.equal(cut.kvs[0]?.value.length, 0);
      assert.deepEqual([cut.count, cut.more], [5, true]);
      const counted = await client().range({ prefix: "r/" }, { countOnly: true });
      assert.deepEqual([counted.count, counted.kvs.length], [5, 0]);
      const between = await client().range({ from: "r/a", to: "r/b/" }, { serializable: true });
      assert.deepEqual(
        between.kvs.map((kv) => kv.key),
        ["r/a", "r/b"],
      );
      assert.ok((await client().range({ prefix: "" })).count >= 6);
    });

    it("keeps bytes as they are", async () => {
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      await client().put("bytes", bytes);
      assert.deepEqual(Uint8Array.from((await client().get("bytes"))!.value), bytes);
      await client().put("bytes", "");
      assert.equal((await client().get("bytes"))?.value.length, 0);
    });

    it("refuses what the store would refuse, before it is sent or after", async () => {
      await failsWith("INVALID_ARGUMENT", client().put("", "x"));
      await failsWith("INVALID_ARGUMENT", client().put("\ud800", "x"));
      await failsWith("INVALID_ARGUMENT", client().put("k".repeat(40_000), "x"));
      await failsWith("INVALID_ARGUMENT", client().range({ from: "b", to: "a" }));
      await failsWith("INVALID_ARGUMENT", client().get("a", { revision: 1.5 }));
      await failsWith("REQUEST_TOO_LARGE", client().put("big", "x".repeat(1_572_865)));
      await failsWith("REQUEST_TOO_LARGE", client().put("big", "x".repeat(1_572_860)));
      await failsWith("LEASE_NOT_FOUND", client().put("leased", "x", { lease: 12345n }));
      await failsWith("FUTURE_REVISION", client().get("a", { revision: 2 ** 50 }));
      await client().put("big", "x".repeat(1_500_000));
      assert.equal((await client().get("big"))?.value.length, 1_500_000);
    });

    it("carries out a transaction as a whole", async () => {
      const { revision } = await client().put("t/a", "1");
      const done = await client().txn({
        compare: [
          compare.modRevision("t/a", "=", revision),
          compare.createRevision("t/none", "=", 0),
          compare.version("t/a", "<", 2),
          compare.value("t/a", "!=", "2"),
          compare.lease("t/a", "=", 0n),
        ],
        success: [op.put("t/b", "2"), op.get({ prefix: "t/" }), op.delete({ key: "t/a" }, { prevKv: true })],
        failure: [op.put("t/failed", "")],
      });
      assert.equal(done.succeeded, true);
      assert.ok(done.revision > revision);
      const [put, get, deleted] = done.responses;
      assert.deepEqual(put, { type: "put", previous: undefined });
      assert.ok(get?.type === "get");
      assert.deepEqual(
        get.kvs.map((kv) => kv.key),
        ["t/a", "t/b"],
      );
      assert.ok(deleted?.type === "delete");
      assert.equal(deleted.deleted, 1);
      assert.equal(text(deleted.previous[0]?.value), "1");
      const refused = await client().txn({
        compare: [compare.modRevision("t/b", ">", done.revision)],
        success: [op.delete({ prefix: "t/" })],
        failure: [op.get({ key: "t/b" })],
      });
      assert.equal(refused.succeeded, false);
      assert.equal(refused.responses.length, 1);
      assert.equal((await client().get("t/b"))?.modRevision, done.revision);
    });

    it("carries out transactions inside of transactions", async () => {
      await client().put("n/a", "1");
      const inner = {
        compare: [compare.value("n/a", "=", "1")],
        success: [op.put("n/b", "2"), op.txn({ compare: [], success: [op.get({ prefix: "n/" })] })],
        failure: [op.delete({ key: "n/c" })],
      };
      const done = await client().txn({ compare: [], success: [op.put("n/a", "3"), op.txn(inner)] });
      // Conditions, the inner ones too, are looked at before anything is changed.
      const [, result] = done.responses;
      assert.ok(result?.type === "txn" && result.succeeded);
      const [put, innermost] = result.responses;
      assert.deepEqual(put, { type: "put", previous: undefined });
      assert.ok(innermost?.type === "txn" && innermost.responses[0]?.type === "get");
      assert.deepEqual(
        innermost.responses[0].kvs.map((kv) => [kv.key, text(kv.value), kv.modRevision]),
        [
          ["n/a", "3", done.revision],
          ["n/b", "2", done.revision],
        ],
      );
      const deep = (levels: number): Parameters<EtcdClient["txn"]>[0] => ({
        compare: [],
        success: [levels === 0 ? op.get({ key: "n/a" }) : op.txn(deep(levels - 1))],
      });
      await client().txn(deep(120));
      await failsWith(
        "TOO_MANY_OPS",
        Promise.resolve().then(() => client().txn(deep(128))),
      );
    });

    it("refuses transactions that are none", async () => {
      const twice = { compare: [], success: [op.put("d", "1"), op.put("d", "2")] };
      await failsWith("DUPLICATE_KEY", client().txn(twice));
      const many = Array.from({ length: 129 }, (_, i) => op.put(`m/${i}`, ""));
      await failsWith("TOO_MANY_OPS", client().txn({ compare: [], success: many }));
      assert.equal((await client().txn({ success: [] })).succeeded, true);
      assert.equal((await client().range({ prefix: "m/" })).count, 0);
    });

    it("tells about the store", async () => {
      const status = await client().status();
      assert.match(status.version, /^3\./);
      assert.ok(status.revision > 0);
      assert.equal(status.leader, status.memberId);
      const members = await client().memberList();
      assert.deepEqual(
        members.map((member) => member.id),
        [status.memberId],
      );
      assert.equal(typeof client().contact.lastOkMs, "number");
    });

    it("behaves like a map (property)", async () => {
      const key = fc.constantFrom("a", "b", "c", "bb");
      const step = fc.oneof(
        fc.record({ do: fc.constant("put" as const), key, value: fc.string({ maxLength: 5 }) }),
        fc.record({ do: fc.constant("delete" as const), key, value: fc.constant("") }),
        fc.record({ do: fc.constant("deletePrefix" as const), key, value: fc.constant("") }),
      );
      await fc.assert(
        fc.asyncProperty(fc.uuid(), fc.array(step, { maxLength: 12 }), async (run, steps) => {
          const model = new Map<string, string>();
          for (const { do: what, key: name, value } of steps) {
            const full = `p/${run}/${name}`;
            if (what === "put") {
              await client().put(full, value);
              model.set(full, value);
            } else {
              const doomed = [...model.keys()].filter((one) =>
                what === "delete" ? one === full : one.startsWith(full),
              );
              for (const one of doomed) model.delete(one);
              const selector = what === "delete" ? { key: full } : { prefix: full };
              assert.equal((await client().delete(selector)).deleted, doomed.length);
            }
          }
          const { kvs } = await client().range({ prefix: `p/${run}/` });
          assert.deepEqual(
            kvs.map((kv) => [kv.key, text(kv.value)]),
            [...model].sort(([a], [b]) => (a < b ? -1 : 1)),
          );
        }),
        { numRuns: 15 },
      );
    });
  });
}
