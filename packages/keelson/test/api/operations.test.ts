import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { hashBody } from "../../src/registry/body-cache.ts";
import { file, fill, runApi } from "./running-api.ts";
import type { RunningApi } from "./running-api.ts";

const submit = (running: RunningApi, ...names: string[]) =>
  running.operate({ kind: "submit", files: names.map((name) => file(name)), desired: "launched" });

describe("operations", () => {
  test("a change is answered when this API shows it", async () => {
    await using running = await runApi();
    const made = await submit(running, "a.service");
    assert.equal(made.status, 201);
    assert.equal(made.headers.location, `/v1/operations/${made.json.id}`);
    assert.equal(made.json.state, "applied");
    const { json } = await running.ask({ path: "/v1/units/a.service" });
    assert.equal(json.unit.desired, "launched");
    assert.equal(json.unit.state, "waiting");
    const listed = await running.ask({ path: "/v1/operations" });
    assert.deepEqual(
      listed.json.operations.map((it: { id: string }) => it.id),
      [made.json.id],
    );
  });

  test("the file comes back byte for byte", async () => {
    await using running = await runApi();
    const text = '[Service]\r\nExecStart=/bin/echo "ä\\u00e4" \\\n  # not a comment\n\n\n';
    await running.operate({ kind: "submit", files: [file("a.service", text)], desired: "inactive" });
    const { bytes, headers } = await running.ask({ path: "/v1/units/a.service/file" });
    assert.equal(bytes.toString("utf8"), text);
    assert.equal(headers.etag, `"${hashBody(text)}"`);
  });

  test("destroying everything is refused, by plain HTTP too, and changes nothing", async () => {
    await using running = await runApi();
    await submit(running, "a.service", "b.service", "c.service", "d.service");
    const before = running.store.revision;
    const refused = await running.operate({ kind: "destroy", units: { all: true } });
    assert.equal(refused.status, 409);
    assert.equal(refused.json.error.code, "KEEL-202");
    assert.equal(refused.json.error.details.plan.impact.percent, 100);
    assert.equal(refused.json.error.details.needs, "--confirm test");
    assert.equal(running.store.revision, before);
    const wrong = await running.operate(
      { kind: "destroy", units: { all: true } },
      { scope: "prod", maxImpact: 100 },
    );
    assert.equal(wrong.json.error.code, "KEEL-202");
    const done = await running.operate({ kind: "destroy", units: { all: true } }, { scope: "test" });
    assert.equal(done.status, 201);
    assert.equal((await running.ask({ path: "/v1/units" })).json.units.length, 0);
  });

  test("more than a quarter needs the figure", async () => {
    await using running = await runApi();
    await submit(running, ..."abcde".split("").map((letter) => `${letter}.service`));
    const intent = { kind: "destroy", units: { names: ["a.service", "b.service"] } };
    const refused = await running.operate(intent);
    assert.equal(refused.status, 409);
    assert.equal(refused.json.error.code, "KEEL-201");
    assert.equal((await running.operate(intent, { maxImpact: 39 })).status, 409);
    assert.equal((await running.operate(intent, { maxImpact: 40 })).status, 201);
  });

  test("many small changes at once are judged one after another", async () => {
    await using running = await runApi();
    const names = Array.from({ length: 8 }, (_, i) => `u${i}.service`);
    await submit(running, ...names);
    const answers = await Promise.all(
      names.map((name) => running.operate({ kind: "destroy", units: { names: [name] } })),
    );
    const revisions = answers.map(({ status }) => status);
    assert.ok(revisions.every((status) => status === 201 || status === 409));
    const totals = answers.filter(({ status }) => status === 201).map(({ json }) => json.impact.total);
    assert.deepEqual(totals, [...new Set(totals)], "each saw the units that the one before it left");
  });

  test("what fits nothing is refused", async () => {
    await using running = await runApi();
    await submit(running, "a.service");
    const { status, json } = await running.operate({ kind: "destroy", units: { names: ["zz*"] } });
    assert.ok(status === 409 || status === 404);
    assert.match(json.error.code, /^KEEL-(203|501)$/);
  });

  test("a plan changes nothing and says what a guard would refuse", async () => {
    await using running = await runApi();
    await submit(running, "a.service", "b.service", "c.service", "d.service");
    const before = running.store.revision;
    const ask = { intent: { kind: "destroy", units: { all: true } } };
    const { status, json } = await running.ask({ method: "POST", path: "/v1/plan", json: ask });
    assert.equal(status, 200);
    assert.equal(json.changes.length, 4);
    assert.equal(json.refusal.code, "KEEL-202");
    assert.equal(json.refusal.details.plan, undefined);
    assert.equal(running.store.revision, before);
  });

  test("undo brings back what was destroyed", async () => {
    await using running = await runApi();
    await submit(running, "a.service");
    const before = (await running.ask({ path: "/v1/units/a.service/file" })).bytes;
    const destroyed = await running.operate({ kind: "destroy", units: { names: ["a.service"] } });
    assert.equal(destroyed.status, 201);
    assert.equal((await running.ask({ path: "/v1/units/a.service" })).status, 404);
    const undone = await running.operate({ kind: "undo" });
    assert.equal(undone.status, 201);
    assert.equal(undone.json.undoOf, destroyed.json.id);
    assert.deepEqual((await running.ask({ path: "/v1/units/a.service/file" })).bytes, before);
    const first = await running.ask({ path: `/v1/operations/${destroyed.json.id.slice(0, 14)}` });
    assert.equal(first.json.undoneBy, undone.json.id);
  });

  test("nothing to change is no operation, but can be waited for", async () => {
    await using running = await runApi();
    await submit(running, "a.service");
    const again = await running.operate({
      kind: "set-desired",
      units: { names: ["a.service"] },
      desired: "launched",
    });
    assert.equal(again.status, 200);
    assert.deepEqual(again.json.changes, []);
    assert.equal((await running.ask({ path: "/v1/operations" })).json.operations.length, 1);
    const stream = await running.open({ path: `/v1/operations/${again.json.id}/progress` });
    const [first] = await linesOf(stream, 1);
    assert.equal(first.done, false);
    assert.equal(first.items[0].instance, "a.service");
  });

  test("progress tells each step and ends when everything is there", async () => {
    await using running = await runApi();
    const { machine, order, status } = fill(running.store);
    machine(1);
    const made = await submit(running, "a.service");
    const { hash } = made.json.changes[0].after;
    const stream = await running.open({ path: `/v1/operations/${made.json.id}/progress` });
    assert.equal(stream.headers["content-type"], "application/x-ndjson");
    // Each step is taken when the one before was told.
    const steps = [
      () => order(1, "a.service", { hash }),
      () => status(1, "a.service", { hash, health: "starting", active: "activating" }),
      () => status(1, "a.service", { hash, since: Date.now() }),
    ];
    const lines: any[] = [];
    for await (const line of createInterface({ input: stream })) {
      lines.push(JSON.parse(line));
      steps.shift()?.();
    }
    assert.ok(lines.length >= 3);
    const last = lines.at(-1);
    assert.equal(last.done, true);
    assert.equal(last.outcome, "succeeded");
    assert.equal(last.items[0].state, "ready");
    assert.ok(lines.slice(0, -1).every(({ done }) => done === false));
  });

  test("removing a machine that is lost", async () => {
    await using running = await runApi();
    const { machine } = fill(running.store);
    machine(1);
    machine(2, false);
    assert.deepEqual(
      (await running.ask({ path: "/v1/machines" })).json.machines.map(
        ({ state }: { state: string }) => state,
      ),
      ["up", "lost"],
    );
    const made = await running.operate({ kind: "remove-machine", machine: "m2" });
    assert.equal(made.status, 201);
    assert.equal((await running.ask({ path: "/v1/machines" })).json.machines.length, 1);
  });

  test("purge needs the name, and leaves no history", async () => {
    await using running = await runApi();
    await submit(running, "a.service");
    await running.operate({ kind: "destroy", units: { names: ["a.service"] } });
    const refused = await running.operate({ kind: "purge" });
    assert.equal(refused.json.error.code, "KEEL-204");
    assert.equal((await running.operate({ kind: "purge" }, { scope: "test" })).status, 201);
    const left = running.store.values.map(({ key }) => key).filter((key) => key.includes("/bodies/"));
    assert.deepEqual(left, []);
  });
});

async function linesOf(stream: AsyncIterable<Buffer> & { destroy(): void }, most: number): Promise<any[]> {
  const lines: any[] = [];
  let text = "";
  for await (const chunk of stream) {
    text += chunk.toString("utf8");
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n")) {
      lines.push(JSON.parse(text.slice(0, end)));
      text = text.slice(end + 1);
    }
    if (lines.length >= most) break;
  }
  stream.destroy();
  return lines;
}
