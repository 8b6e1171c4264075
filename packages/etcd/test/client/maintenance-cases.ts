import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import type { EtcdClient } from "../../src/client/index.ts";
import { failsWith } from "./expect.ts";

/** Looking after a member. */
export function maintenanceCases(client: () => EtcdClient): void {
  describe("maintenance", () => {
    it("sums the history up, and differently after a change", async () => {
      const { revision } = await client().put("hash/a", "1");
      const before = await client().hashKv(revision);
      await client().put("hash/a", "2");
      assert.equal((await client().hashKv(revision)).hash, before.hash);
      const now = await client().hashKv();
      assert.notEqual(now.hash, before.hash);
      assert.ok(now.revision > revision);
      await failsWith("FUTURE_REVISION", client().hashKv(2 ** 40));
    });

    it("takes a snapshot whose last 32 bytes are the digest of the others", async () => {
      await client().put("snapshot/big", "x".repeat(100_000));
      const pieces: Uint8Array[] = [];
      for await (const piece of client().snapshot()) pieces.push(piece);
      const file = Buffer.concat(pieces);
      const digest = createHash("sha256").update(file.subarray(0, -32)).digest();
      assert.deepEqual(file.subarray(-32), digest);
      assert.equal(file.length % 512, 32);
    });

    it("gives a snapshot up when it is told to", async () => {
      const iteration = client().snapshot({ signal: AbortSignal.abort() });
      await failsWith("ABORTED", iteration.next());
    });

    it("lists alarms, defragments, and refuses what a single member cannot do", async () => {
      assert.deepEqual(await client().alarms(), []);
      await client().defragment({ deadlineMs: 10_000 });
      await failsWith("BAD_LEADER_TRANSFEREE", client().moveLeader(1n));
      await failsWith("MEMBER_NOT_FOUND", client().memberRemove(1n));
      await failsWith("MEMBER_NOT_FOUND", client().memberPromote(1n));
      await failsWith("MEMBER_NOT_FOUND", client().memberUpdate(1n, ["http://127.0.0.1:1"]));
      await failsWith("MEMBER_BAD_URLS", client().memberAdd({ peerUrls: ["nowhere"] }));
    });
  });
}
