import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { describe, test } from "node:test";
import { runApi } from "../running-api.ts";
import type { Answer } from "../running-api.ts";

const options = [{ section: "Service", name: "ExecStart", value: "/bin/true" }];
const path = "/fleet/v1/units/a.service";

describe("fleet’s own doors", () => {
  test("the socket is root’s alone, takes changes, and serves keel too", async () => {
    await using running = await runApi({ fleet: { socket: true } });
    const socket = running.api.fleet.socket ?? "";
    assert.equal((await stat(socket)).mode & 0o777, 0o600);
    assert.equal((await running.ask({ method: "PUT", path, socket, json: { options } })).status, 201);
    assert.equal((await running.ask({ path: "/v1-alpha/units", socket })).json.units.length, 1);
    const whole = `http://domain-sock${path}?alt=json`;
    assert.equal((await running.ask({ path: whole, socket })).json.name, "a.service");
    assert.match((await running.ask({ path: "/metrics", socket })).bytes.toString(), /keelson_api_requests/);
    for (const [asked, status] of [
      ["/", 405],
      ["/fleet", 404],
    ] as const) {
      const answer = await running.ask({ path: asked, socket });
      assert.deepEqual(answer.json, { error: { code: status, message: "" } }, asked);
    }
    assert.equal((await running.ask({ path: "/v1/snapshot", socket })).json.units.length, 1);
  });

  test("there is none unless the machine runs units or the configuration names one", async () => {
    await using running = await runApi();
    assert.deepEqual(running.api.fleet, { socket: undefined, tcp: [] });
  });

  test("a TCP listener takes changes, but from no web page and under no foreign name", async () => {
    await using running = await runApi({ fleet: { listen: [{ host: "127.0.0.1", port: 0 }] } });
    const port = running.api.fleet.tcp[0]?.port ?? 0;
    const put = (headers: Record<string, string>): Promise<Answer> =>
      running.ask({ method: "PUT", path, port, json: { options, desiredState: "inactive" }, headers });
    for (const headers of [
      { origin: "http://evil.example" },
      { origin: "null" },
      { "sec-fetch-site": "same-origin" },
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
      { host: "evil.example" },
    ]) {
      const refused = await put(headers as unknown as Record<string, string>);
      assert.deepEqual([refused.status, refused.json.error.code], [403, 403], JSON.stringify(headers));
    }
    assert.equal((await running.ask({ path: "/fleet/v1/units" })).json.units, undefined);
    assert.equal((await put({})).status, 201);
    const whole = { method: "PUT", path: `http://evil.example${path}`, port, json: { options } };
    const refused = await running.ask({ ...whole, headers: { host: "evil.example" } });
    assert.equal(refused.json.error.code, 403);
    const preflight = await running.ask({
      method: "OPTIONS",
      path,
      port,
      headers: { origin: "http://evil.example", "access-control-request-method": "PUT" },
    });
    assert.equal(preflight.headers["access-control-allow-origin"], undefined);
    assert.ok(preflight.status >= 400);
    assert.equal((await running.ask({ path: "/v1/operations", port })).status, 200);
    for (const path of ["/v1/store", "/v1/store/keys", "/v1/images", "/v1/archives/x", "/v1/unitsx"])
      assert.equal((await running.ask({ path, port })).status, 404, path);
  });
});
