import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { describe, test } from "node:test";
import fc from "fast-check";
import { keys } from "../../src/model/keys.ts";
import { machineCodec } from "../../src/model/machine.ts";
import { machineRecord } from "../registry/records.ts";
import { eventually } from "../eventually.ts";
import { file, runApi } from "./running-api.ts";

const operations = { method: "POST", path: "/v1/operations" };

describe("requests", () => {
  test("every error has the same shape", async () => {
    await using running = await runApi();
    const asks = [
      { ask: { path: "/v1/units/none.service" }, status: 404, code: "KEEL-501" },
      { ask: { path: "/v1/units/none.service/file" }, status: 404, code: "KEEL-501" },
      { ask: { path: "/v1/operations/none" }, status: 404, code: "KEEL-506" },
      { ask: { path: "/v1/operations/none/progress" }, status: 404, code: "KEEL-506" },
      { ask: { path: "/v1/images/none", method: "DELETE" }, status: 404, code: "KEEL-508" },
      { ask: { path: `/v1/archives/${"a".repeat(64)}` }, status: 404, code: "KEEL-508" },
      { ask: { path: "/v1/archives/..%2f..%2fetc%2fpasswd" }, status: 404, code: "KEEL-508" },
      { ask: { path: "/v1/nothing" }, status: 404, code: "KEEL-104" },
      { ask: { path: "/", method: "POST", json: {} }, status: 404, code: "KEEL-104" },
      { ask: { path: "/v1/events?after=x" }, status: 400, code: "KEEL-104" },
      { ask: { ...operations, body: "{" }, status: 400, code: "KEEL-104" },
      { ask: { ...operations, body: "" }, status: 400, code: "KEEL-104" },
      { ask: { ...operations, body: new Uint8Array([0xff, 0xfe]) }, status: 400, code: "KEEL-104" },
      {
        ask: { ...operations, body: "a=b", headers: { "content-type": "application/x-www-form-urlencoded" } },
        status: 400,
        code: "KEEL-104",
      },
      { ask: { ...operations, json: { intent: { kind: "explode" } } }, status: 400, code: "KEEL-104" },
      {
        ask: { ...operations, json: { intent: { kind: "purge" }, confirmed: true } },
        status: 400,
        code: "KEEL-104",
      },
      {
        ask: { ...operations, json: { intent: { kind: "scale", unit: "a@.service", replicas: 1e9 } } },
        status: 400,
        code: "KEEL-104",
      },
      {
        ask: {
          ...operations,
          json: { intent: { kind: "submit", files: [file("../x")], desired: "inactive" } },
        },
        status: 400,
        code: "KEEL-103",
      },
      {
        ask: { ...operations, json: { intent: { kind: "remove-machine", machine: "m9" } } },
        status: 404,
        code: "KEEL-502",
      },
    ];
    for (const { ask, status, code } of asks) {
      const answer = await running.ask(ask);
      const what = `${JSON.stringify(ask)} → ${answer.bytes.toString()}`;
      assert.equal(answer.status, status, what);
      assert.equal(answer.json.error.code, code, what);
      assert.ok(answer.json.error.message.length > 0);
      assert.match(answer.headers["content-type"] ?? "", /^application\/json/);
    }
    const { json } = await running.ask({
      ...operations,
      json: { intent: { kind: "destroy", units: { names: [1] } } },
    });
    assert.match(json.error.message, /intent/);
  });

  test("any JSON is answered with an error or a change, never with a failure of ours", async () => {
    await using running = await runApi();
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (json) => {
        const { status } = await running.ask({ ...operations, json });
        assert.equal(status, 400);
      }),
      { numRuns: 50 },
    );
    const intent = fc.record(
      {
        kind: fc.constantFrom(
          "submit",
          "set-desired",
          "restart",
          "scale",
          "destroy",
          "undo",
          "purge",
          "remove-machine",
        ),
        units: fc.oneof(
          fc.record({ all: fc.boolean() }),
          fc.record({ names: fc.array(fc.string(), { maxLength: 3 }) }),
        ),
        unit: fc.string(),
        desired: fc.constantFrom("inactive", "loaded", "launched", "x"),
        replicas: fc.integer(),
        files: fc.array(fc.record({ name: fc.string(), body: fc.base64String() }), { maxLength: 2 }),
        operation: fc.string(),
        machine: fc.string(),
      },
      { requiredKeys: ["kind"] },
    );
    await fc.assert(
      fc.asyncProperty(intent, async (it) => {
        const { status, bytes } = await running.operate(it);
        assert.ok(status < 500, `${status} ${bytes.toString()}`);
      }),
      { numRuns: 100 },
    );
  });

  test("a body that is too large is refused before it is read", async () => {
    await using running = await runApi();
    const announced = await new Promise<number>((resolve, reject) => {
      const sent = httpRequest(
        {
          socketPath: running.api.socket,
          ...operations,
          headers: { "content-length": String(65 << 20), "content-type": "application/json" },
        },
        (response) => {
          resolve(response.statusCode ?? 0);
          sent.destroy();
        },
      );
      sent.on("error", reject);
      sent.write("{");
    });
    assert.equal(announced, 413);
  });

  test("a body that never ends is cut off at the limit", async () => {
    await using running = await runApi();
    const status = await new Promise<number>((resolve) => {
      const sent = httpRequest(
        { socketPath: running.api.socket, ...operations, headers: { "content-type": "application/json" } },
        (response) => {
          resolve(response.statusCode ?? 0);
          sent.destroy();
        },
      );
      sent.on("error", () => resolve(0));
      const chunk = Buffer.alloc(1 << 20, " ");
      let left = 70;
      const more = (): void => {
        while (left-- > 0) if (!sent.write(chunk)) return void sent.once("drain", more);
        sent.end();
      };
      more();
    });
    assert.equal(status, 413);
    assert.equal((await running.ask({ path: "/v1/health" })).status, 200);
  });

  test("without the store a request is refused in the end, and health answered", async () => {
    await using running = await runApi();
    running.store.stop();
    const answers = await Promise.all([
      running.ask({ path: "/v1/snapshot" }),
      running.ask({ path: "/v1/units" }),
      running.ask({ path: "/v1/events" }),
      running.operate({ kind: "purge" }, { scope: "test" }),
    ]);
    for (const { status, json } of answers) {
      assert.equal(status, 503);
      assert.equal(json.error.code, "KEEL-401");
    }
    const health = await running.ask({ path: "/v1/health" });
    assert.equal(health.status, 200);
    assert.equal(health.json.contact.hasContact, false);
    running.store.start();
    assert.equal((await running.ask({ path: "/v1/snapshot" })).status, 200);
  });

  test("the view is opened by the first request and closed when nobody asks", async () => {
    await using running = await runApi({ viewIdleMs: 50 });
    const open = async (): Promise<string> =>
      /^keelson_api_views (\d)$/m.exec((await running.ask({ path: "/metrics" })).bytes.toString())?.[1] ?? "";
    assert.equal(await open(), "0");
    await running.ask({ path: "/v1/snapshot" });
    assert.equal(await open(), "1");
    await eventually("the view is closed", async () => (await open()) === "0");
    running.put(keys.machine(machineRecord(7).id), machineCodec.encode(machineRecord(7)));
    const { json } = await running.ask({ path: "/v1/machines" });
    assert.deepEqual(
      json.machines.map(({ name }: { name: string }) => name),
      ["m7"],
    );
  });
});
