// Requests by someone who means no good, or does not know what they do: no failure of ours, no change where only
// reading is allowed, always an answer in the form that is written down.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Answer, Ask, RunningApi } from "./running-api.ts";
import { file, fill, runApi } from "./running-api.ts";

const names = [
  "a.service",
  "w@.service",
  "w@1.service",
  "..",
  ".",
  "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
  "a%2fb.service",
  "%",
  "%zz",
  "%00",
  "%0a.service",
  "%1b%5b31m.service",
  "%ff%fe.service",
  "%E2%80%AE.service",
  encodeURIComponent("ünit😀.service"),
  `${"a".repeat(300)}.service`,
  "__proto__",
  "constructor",
  "a.service?x[]=1&x[]=2&revision=-1",
  "a.service;b",
  "-",
  "1e999",
];
const paths = [
  "/v1/timeline/NAME",
  "/v1/why/NAME",
  "/v1/machines/NAME/why",
  "/v1/operations/NAME",
  "/v1/operations/NAME/progress",
  "/v1/units/NAME",
  "/v1/units/NAME/file",
  "/v1/units/NAME/versions",
  "/v1/units/NAME/versions/NAME/file",
  "/v1/units/a.service/versions/NAME/file",
  "/v1/archives/NAME",
  "/v1/NAME",
  "/fleet/v1/units/NAME",
  "/fleet/v1/state/NAME",
  "/fleet/v1/NAME",
  "/fleet/v1/units?nextPageToken=NAME",
  "/fleet/v1/state?machineID=NAME&unitName=NAME",
  "/v1/history?since=NAME",
  "/v1/history?follow=NAME",
  "/v1/history?unit=NAME&machine=NAME",
  "/v1/jobs?NAME",
  "/v1/timers?NAME",
  "/v1/rollouts?NAME",
  "/v1/survivability?NAME",
];
const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"];
const changing = ["POST", "PUT", "PATCH", "DELETE"];
const withBody = ["POST", "PUT", "PATCH"];

async function peopled(options: Parameters<typeof runApi>[0] = {}): Promise<RunningApi> {
  const running = await runApi(options);
  const { machine, order, status } = fill(running.store);
  machine(1);
  machine(2);
  const template = "[Service]\nExecStart=/bin/true\n[X-Keelson]\nReplicas=2\n";
  const files = [
    file("a.service"),
    file("w@.service", template),
    file("job.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n"),
    file("tick.timer", "[Timer]\nOnCalendar=hourly\nUnit=job.service\n"),
  ];
  const made = await running.operate({ kind: "submit", files, desired: "launched" });
  assert.ok(made.status < 300, made.bytes.toString());
  order(1, "a.service");
  status(1, "a.service");
  return running;
}

function checkForm({ method = "GET", path }: Ask, { status, bytes, headers }: Answer): void {
  const what = `${method} ${path} → ${status} ${bytes.toString().slice(0, 300)}`;
  assert.ok(status < 500, what);
  if (status < 400 || method === "HEAD") return;
  assert.match(headers["content-type"] ?? "", /^application\/json/, what);
  const { error } = JSON.parse(bytes.toString()) as { error: { code: unknown; message: unknown } };
  assert.equal(typeof error.message, "string", what);
  // A client takes `/../` away itself, and asks somewhere else.
  if (path.includes("/..")) return;
  if (path.startsWith("/fleet/")) assert.equal(error.code, status, what);
  else assert.match(String(error.code), /^KEEL-\d{3}$/, what);
}

const intents = fc.record(
  {
    kind: fc.constantFrom(
      "cordon",
      "drain",
      "set-metadata",
      "configure",
      "rebalance",
      "rollout",
      "rollback",
      "submit",
      "scale",
      "undo",
      "restart",
    ),
    machine: fc.oneof(fc.constantFrom("m1", "m2", "", "__proto__"), fc.string({ unit: "binary" })),
    cordoned: fc.oneof(fc.boolean(), fc.jsonValue()),
    deadlineSeconds: fc.constantFrom(0, 1, -1, 1.5, 604_800, 1e300, "1"),
    reason: fc.constantFrom("", "why", "\u0000\u001b[2J", "x".repeat(501), 7),
    metadata: fc.oneof(
      fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), { maxKeys: 3 }),
      fc.constantFrom({ "": "" }, { "a=b": "c" }, { __proto__: "x" }, { a: "x".repeat(1025) }, [], null),
      fc.constant(Object.fromEntries(Array.from({ length: 5000 }, (_, number) => [`k${number}`, "v"]))),
    ),
    autoRebalance: fc.oneof(fc.boolean(), fc.constant("yes")),
    overcommit: fc.constantFrom({}, { memory: 0 }, { memory: 100.5 }, { cpu: 2 }, { gpu: 1 }, [], 1),
    most: fc.constantFrom(0, 1, 50, 51, -1, 1.5),
    unit: fc.oneof(fc.constantFrom("a.service", "w@.service", "w@1.service"), fc.string({ unit: "binary" })),
    to: fc.constantFrom(0, 1, 2, 1e15, -1),
    action: fc.constantFrom("pause", "resume", "abort", "explode"),
    replicas: fc.constantFrom(0, 3, 50, -1, 1e9),
    operation: fc.string(),
  },
  { requiredKeys: ["kind"] },
);

/** Of what an intent of the kind knows, so that it gets past the form. */
const known: Readonly<Record<string, readonly string[]>> = {
  cordon: ["machine", "cordoned"],
  drain: ["machine", "deadlineSeconds", "reason"],
  "set-metadata": ["machine", "metadata"],
  configure: ["autoRebalance", "overcommit"],
  rebalance: ["most"],
  rollout: ["unit", "action"],
  rollback: ["unit", "to"],
  scale: ["unit", "replicas"],
  undo: ["operation"],
};

const fitting = (intent: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(intent).filter(
      ([key]) => key === "kind" || (known[String(intent["kind"])] ?? []).includes(key),
    ),
  );

describe("hostile requests", () => {
  test("every path with every odd name and every method", async () => {
    await using running = await peopled();
    for (const path of paths) {
      const asks = names.flatMap((name) =>
        methods
          .filter((method) => method === "GET" || name.startsWith("%") || name === "a.service")
          .map((method): Ask => {
            const whole = path.replaceAll("NAME", name);
            return { method, path: whole, ...(withBody.includes(method) && { json: {} }) };
          }),
      );
      await Promise.all(asks.map(async (ask) => checkForm(ask, await running.ask(ask))));
    }
  });

  test("any intent, in a change, in a plan and in a question", async () => {
    await using running = await peopled();
    await fc.assert(
      fc.asyncProperty(intents, fc.boolean(), async (any, fits) => {
        const intent = fits ? fitting(any) : any;
        for (const path of ["/v1/plan", "/v1/what-if", "/v1/operations"]) {
          const ask = { method: "POST", path, json: { intent } };
          checkForm(ask, await running.ask(ask));
        }
      }),
      { numRuns: 150 },
    );
    assert.equal((await running.ask({ path: "/v1/snapshot" })).status, 200);
  });

  test("any supposition", async () => {
    await using running = await peopled();
    const supposition = fc.oneof(
      fc.jsonValue(),
      fc.record({ lose: fc.oneof(fc.array(fc.string({ unit: "binary" })), fc.jsonValue()) }),
      fc.record({ lose: fc.array(fc.constantFrom("m1", "m2", "m3", ""), { maxLength: 4 }) }),
      fc.record({ add: fc.jsonValue() }),
      fc.record({
        add: fc.record(
          {
            machines: fc.integer(),
            like: fc.constantFrom("m1", "", "nobody"),
            count: fc.constantFrom(0, 1, 1e9, -1),
            metadata: fc.dictionary(fc.string(), fc.string()),
          },
          { requiredKeys: [] },
        ),
      }),
    );
    await fc.assert(
      fc.asyncProperty(supposition, async (json) => {
        const ask = { method: "POST", path: "/v1/what-if", json };
        checkForm(ask, await running.ask(ask));
      }),
      { numRuns: 100 },
    );
  });

  test("any body for fleet’s units and machines", async () => {
    await using running = await peopled();
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("X-Keelson", "Service", "]\n[Install", "\n"),
    );
    const unit = fc.record(
      {
        name: fc.oneof(fc.constantFrom("a.service", "b.service"), fc.jsonValue()),
        desiredState: fc.oneof(fc.constantFrom("inactive", "loaded", "launched", ""), fc.jsonValue()),
        options: fc.oneof(
          fc.array(fc.record({ section: text, name: text, value: text }, { requiredKeys: [] }), {
            maxLength: 4,
          }),
          fc.jsonValue(),
        ),
      },
      { requiredKeys: [] },
    );
    const patch = fc.array(
      fc.record({
        op: fc.constantFrom("add", "remove", "replace", "test", ""),
        path: fc.oneof(
          fc.constantFrom("/m1/metadata/a", "/", "//metadata/~0~1", "/m1/metadata/"),
          fc.string(),
        ),
        value: fc.oneof(fc.string({ unit: "binary" }), fc.jsonValue()),
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(unit, fc.jsonValue()),
        fc.constantFrom("a.service", "b.service", "%25.service", "..%2fx.service", "n@.service"),
        fc.oneof(patch, fc.jsonValue()),
        async (json, name, machines) => {
          const put = { method: "PUT", path: `/fleet/v1/units/${name}`, json };
          checkForm(put, await running.ask(put));
          const patching = { method: "PATCH", path: "/fleet/v1/machines", json: machines };
          checkForm(patching, await running.ask(patching));
        },
      ),
      { numRuns: 120 },
    );
    const { json } = await running.ask({ path: "/fleet/v1/units" });
    assert.ok(json.units.length > 0);
  });

  test("deep, long and wrongly typed bodies", async () => {
    await using running = await peopled();
    const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
    const bodies: readonly (string | Uint8Array)[] = [
      "",
      "null",
      "\u0000",
      new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d]),
      deep,
      `{"intent":${deep}}`,
      `{"intent":{"kind":"set-metadata","machine":"m1","metadata":{"a":${deep}}}}`,
      `{"intent":{"kind":"destroy","units":{"names":[${Array.from({ length: 9999 }, () => '"?*[a-z]*"').join()}]}}}`,
      `{"intent":{"kind":"restart","units":{"names":["${"*?".repeat(5000)}"]}}}`,
      `{"intent":{"kind":"cordon","machine":"${"x".repeat(3 << 20)}","cordoned":true}}`,
    ];
    const targets = [
      ["POST", "/v1/operations"],
      ["POST", "/v1/plan"],
      ["POST", "/v1/what-if"],
      ["PUT", "/fleet/v1/units/z.service"],
      ["PATCH", "/fleet/v1/machines"],
    ] as const;
    for (const [method, path] of targets) {
      for (const body of bodies) {
        for (const type of ["application/json", "text/plain", "multipart/form-data; boundary=x", ""]) {
          const ask: Ask = { method, path, body, headers: { "content-type": type } };
          const answer = await running.ask(ask);
          checkForm({ method, path }, answer);
          assert.ok(answer.status >= 400, `${method} ${path}: ${answer.status}`);
        }
      }
    }
  });

  test("a listener that only reads refuses every change, fleet’s too", async () => {
    await using running = await peopled();
    const port = running.api.listening[0]?.port ?? 0;
    const before = (await running.ask({ path: "/v1/snapshot" })).json.revision;
    const targets = [
      "/v1/operations",
      "/v1/plan",
      "/v1/what-if",
      "/fleet/v1/units/a.service",
      "/fleet/v1/machines",
      "/v1-alpha/units/a.service",
      "//fleet/v1/units/a.service",
      "/FLEET/v1/units/a.service",
      "http://x/fleet/v1/units/a.service",
      "/v1/store/move",
      "/v1/images",
    ];
    for (const path of targets) {
      for (const method of [...changing, "OPTIONS", "TRACE", "MOVE"]) {
        for (const headers of [{}, { "x-http-method-override": "GET" }]) {
          const answer = await running.ask({
            method,
            path,
            port,
            headers: headers as Record<string, string>,
          });
          assert.ok([403, 404, 405].includes(answer.status), `${method} ${path}: ${answer.status}`);
        }
      }
      const override = { "x-http-method-override": "DELETE", "x-method-override": "DELETE" };
      const read = await running.ask({ path: `${path}?_method=DELETE`, port, headers: override });
      assert.ok(read.status < 500);
    }
    assert.equal((await running.ask({ path: "/v1/snapshot" })).json.revision, before);
  });

  test("where changes are taken, no page of another site gets one", async () => {
    await using running = await peopled({ fleet: { listen: [{ host: "127.0.0.1", port: 0 }] } });
    const port = running.api.fleet.tcp[0]?.port ?? 0;
    const before = (await running.ask({ path: "/v1/snapshot" })).json.revision;
    const pages: readonly Record<string, string>[] = [
      { origin: "http://evil.example" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-origin", "sec-fetch-mode": "no-cors" },
      { host: "evil.example" },
    ];
    const targets = [
      ["PUT", "/fleet/v1/units/a.service"],
      ["DELETE", "/fleet/v1/units/a.service"],
      ["PATCH", "/fleet/v1/machines"],
      ["POST", "/v1/operations"],
    ] as const;
    for (const [method, path] of targets) {
      for (const headers of pages) {
        const answer = await running.ask({
          method,
          path,
          port,
          headers,
          ...(withBody.includes(method) && { json: {} }),
        });
        assert.equal(answer.status, 403, `${method} ${path} ${JSON.stringify(headers)}`);
      }
    }
    assert.equal((await running.ask({ path: "/v1/snapshot" })).json.revision, before);
  });

  test("many at once, and connections that break off, leave the others their answers", async () => {
    await using running = await peopled();
    const { socket } = running.api;
    for (let broken = 0; broken < 100; broken++) {
      const connection = connect(socket);
      connection.on("error", () => undefined);
      connection.write(
        "POST /v1/what-if HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{",
        () => connection.destroy(),
      );
    }
    const asks = Array.from({ length: 100 }, (_, number): Ask => {
      if (number % 2 === 0) return { method: "POST", path: "/v1/what-if", json: { lose: ["m1"] } };
      return {
        method: "POST",
        path: "/v1/operations",
        json: { intent: { kind: "cordon", machine: "m1", cordoned: number % 4 === 1 } },
      };
    });
    const answers = await Promise.all(asks.map((ask) => running.ask(ask)));
    for (const [number, { status, bytes }] of answers.entries())
      assert.ok(status < 500 || status === 503, `${number}: ${status} ${bytes.toString()}`);
    assert.equal((await running.ask({ path: "/v1/health" })).status, 200);
  });
});
