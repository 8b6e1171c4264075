import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { file, runApi } from "./running-api.ts";
import type { RunningApi } from "./running-api.ts";

const text = (version: number): string => `[Service]\nExecStart=/bin/${version}\n`;

async function replaced(): Promise<RunningApi> {
  const running = await runApi();
  await running.operate({ kind: "submit", files: [file("a.service", text(1))], desired: "launched" });
  const made = await running.operate({
    kind: "submit",
    files: [file("a.service", text(2))],
    desired: "inactive",
    replace: true,
  });
  assert.equal(made.status, 201);
  return running;
}

describe("rollouts over HTTP", () => {
  test("are listed with the numbers of their versions", async () => {
    await using running = await replaced();
    const { json } = await running.ask({ path: "/v1/rollouts" });
    assert.equal(json.rollouts.length, 1);
    const [rollout] = json.rollouts;
    assert.deepEqual(
      [rollout.unit, rollout.state, rollout.from.number, rollout.to.number, rollout.updated, rollout.total],
      ["a.service", "running", 1, 2, 0, 1],
    );
  });

  test("versions have their files, their makers, and the instances that are to have them", async () => {
    await using running = await replaced();
    const { json } = await running.ask({ path: "/v1/units/a.service/versions" });
    assert.deepEqual(
      json.versions.map((it: Record<string, unknown>) => [it.number, it.current, it.rolling, it.instances]),
      [
        [2, false, true, 0],
        [1, true, false, 1],
      ],
    );
    for (const number of [1, 2]) {
      const { bytes, status } = await running.ask({ path: `/v1/units/a.service/versions/${number}/file` });
      assert.equal(status, 200);
      assert.equal(bytes.toString(), text(number));
    }
  });

  test("what is not there is answered as such", async () => {
    await using running = await replaced();
    for (const number of ["3", "0", "-1", "x", "1e0", "9".repeat(400)]) {
      const { status, json } = await running.ask({ path: `/v1/units/a.service/versions/${number}/file` });
      assert.deepEqual([status, json.error.code], [404, "KEEL-543"], number);
    }
    for (const path of ["/v1/units/b.service/versions", "/v1/units/b.service/versions/1/file"])
      assert.equal((await running.ask({ path })).json.error.code, "KEEL-501");
    const paused = await running.operate({ kind: "rollout", unit: "b", action: "pause" });
    assert.equal(paused.status, 404);
    const odd = await running.operate({ kind: "rollout", unit: "a", action: "explode" });
    assert.deepEqual([odd.status, odd.json.error.code], [400, "KEEL-104"]);
    for (const to of [0, -1, 1.5, "2"])
      assert.equal((await running.operate({ kind: "rollback", unit: "a", to })).status, 400);
  });

  test("a plan says the batches and changes nothing", async () => {
    await using running = await replaced();
    const before = running.store.revision;
    const { json } = await running.ask({
      method: "POST",
      path: "/v1/plan",
      json: { intent: { kind: "rollback", unit: "a" } },
    });
    assert.equal(json.summary, "roll a.service back to version 1");
    assert.match(json.notes[0], /one instance/);
    assert.equal(running.store.revision, before);
  });

  test("pausing is answered once it shows, and shows", async () => {
    await using running = await replaced();
    assert.equal((await running.operate({ kind: "rollout", unit: "a", action: "pause" })).status, 201);
    assert.equal((await running.operate({ kind: "rollout", unit: "a", action: "pause" })).status, 200);
    const { json } = await running.ask({ path: "/v1/rollouts" });
    assert.match(json.rollouts[0].reason, /^paused by /);
  });
});
