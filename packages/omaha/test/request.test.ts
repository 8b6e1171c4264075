import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OmahaError, printRequest, readRequest } from "../src/index.ts";
import type { OmahaRequest } from "../src/index.ts";
import { recording, recordings } from "./recordings.ts";

const inside = (content: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<request protocol="3.0">${content}</request>`;

const failure = (xml: string | Uint8Array): OmahaError => {
  try {
    readRequest(xml);
  } catch (error) {
    if (error instanceof OmahaError) return error;
    throw error;
  }
  throw new Error("it was read");
};

describe("a request of update_engine", () => {
  test("says who asks, and what happened", () => {
    assert.deepEqual(readRequest(recording("reboot 1").request), {
      protocol: "3.0",
      version: "update_engine-0.4.10",
      updaterVersion: "update_engine-0.4.10",
      installSource: "ondemandupdate",
      isMachine: true,
      os: { version: "Chateau", platform: "CoreOS", servicePack: "2.0.0_x86_64" },
      apps: [
        {
          id: "7b99775f-0e39-4787-9a77-89599597ed02",
          version: "2.0.0",
          track: "prod",
          bootId: "{8158f946-0327-4ed3-b72f-b0f3c4605d35}",
          oem: "test",
          oemVersion: "1.0",
          alephVersion: "1.0.0",
          machineId: "4e502b3096414651b65fe3f377adc241",
          machineAlias: "real-client",
          lang: "en-US",
          board: "amd64-usr",
          hardwareClass: "",
          deltaOkay: false,
          ping: { active: true },
          updateCheck: {},
          events: [{ type: 3, result: 2, previousVersion: "1.0.0" }],
        },
      ],
    } satisfies OmahaRequest);
  });

  test("is printed as it was recorded, byte for byte", () => {
    assert.equal(recordings.length, 11);
    for (const { name, request } of recordings)
      assert.equal(printRequest(readRequest(request)), request, name);
  });

  test("is read from bytes as from text", () => {
    const { request } = recording("full 1");
    assert.deepEqual(readRequest(Buffer.from(request)), readRequest(request));
  });

  test("that reports a fallback carries the error", () => {
    assert.deepEqual(readRequest(recording("rollback 1").request).apps[0]?.events, [
      { type: 3, result: 0, errorCode: 44 },
    ]);
  });
});

describe("a request of another client", () => {
  test("may come in any order, with either quotes, braces, unknown attributes and elements", () => {
    const xml = inside(
      `<!-- hello --><hw sse2='1'/><app track = 'a' appid="{E9}" odd="&lt;1&gt;"><event eventresult="1" eventtype="13"/>text &amp; more<data name="x">y</data></app><app appid="b"></app><os platform="linux" arch='x64' />`,
    );
    assert.deepEqual(JSON.parse(JSON.stringify(readRequest(xml))), {
      protocol: "3.0",
      os: { platform: "linux", arch: "x64" },
      apps: [
        { id: "{E9}", track: "a", others: { odd: "<1>" }, events: [{ type: 13, result: 1 }] },
        { id: "b", events: [] },
      ],
    });
  });

  test("may ping as updateservicectl does, and as Google’s client does", () => {
    const ping = (attributes: string) =>
      readRequest(inside(`<app appid="a"><ping ${attributes}/></app>`)).apps[0]?.ping;
    assert.equal(JSON.stringify(ping('r="1" status="1"')), '{"daysSincePing":1,"others":{"status":"1"}}');
    assert.deepEqual(ping('active="0" a="-1" ad="3605" rd="-2" ping_freshness="{x}"'), {
      active: false,
      daysSinceActive: -1,
      activeDay: 3605,
      pingDay: -2,
      freshness: "{x}",
    });
    assert.equal(JSON.stringify(ping('active="maybe" a=""')), '{"others":{"active":"maybe","a":""}}');
  });

  test("may leave out numbers, and keeps those that matter exact", () => {
    const event = (attributes: string) =>
      readRequest(inside(`<app appid="a"><event ${attributes}/></app>`)).apps[0]?.events[0];
    assert.deepEqual(event(""), { type: 0, result: 0 });
    assert.deepEqual(event('eventtype="" errorcode=""'), { type: 0, result: 0 });
    assert.deepEqual(event('eventtype="03" errorcode="-2147219440"'), {
      type: 3,
      result: 0,
      errorCode: -2147219440,
    });
    assert.equal(failure(inside('<app appid="a"><event errorcode="0x80"/></app>')).code, "BAD_VALUE");
  });

  test("may call an attribute like something of every object", () => {
    const [app] = readRequest(inside('<app appid="a" __proto__="1" constructor="2"/>')).apps;
    assert.deepEqual(Object.entries(app?.others ?? {}), [
      ["__proto__", "1"],
      ["constructor", "2"],
    ]);
    assert.equal(Object.getPrototypeOf(app), Object.prototype);
  });
});

describe("what is refused", () => {
  const cases: readonly [string, OmahaError["code"], string][] = [
    ["", "NOT_XML", "1:1"],
    ["<request", "NOT_XML", "1:9"],
    ['<!DOCTYPE x [<!ENTITY a "b">]><request protocol="3.0"/>', "NOT_XML", "1:2"],
    ['<response protocol="3.0"/>', "NOT_OMAHA", "1:1"],
    ["<request/>", "UNSUPPORTED_PROTOCOL", "1:1"],
    ['\n<request protocol="2.0"/>', "UNSUPPORTED_PROTOCOL", "2:1"],
    ['<request protocol="3.0"/><request protocol="3.0"/>', "NOT_XML", "1:26"],
    ['<request protocol="3.0">\n <app/>\n</request>', "BAD_VALUE", "2:2"],
    ['<request protocol="3.0"><app appid=""/></request>', "BAD_VALUE", "1:25"],
    ['<request protocol="3.0"><app appid="a"><event eventtype="many"/></app></request>', "BAD_VALUE", "1:40"],
    [`<request protocol="3.0">${"<a>".repeat(9)}`, "TOO_LARGE", "1:46"],
    [`<request protocol="3.0">${" ".repeat(70_000)}</request>`, "TOO_LARGE", "1:1"],
    [`<request protocol="3.0">${'<app appid="a"/>'.repeat(65)}</request>`, "TOO_LARGE", "1:1"],
    [`<request protocol="3.0">${"<x/>".repeat(1024)}</request>`, "TOO_LARGE", "1:4117"],
    [`<request protocol="3.0"><app appid="a">${"<event/>".repeat(257)}</app></request>`, "TOO_LARGE", "1:25"],
    [
      `<request protocol="3.0" ${Array.from({ length: 64 }, (_, n) => `a${n}=""`).join(" ")}/>`,
      "TOO_LARGE",
      "1:462",
    ],
    [`<request protocol="3.0"><${"a".repeat(65)}/></request>`, "TOO_LARGE", "1:26"],
    // An OEM name with a quote in it, which update_engine writes without escaping it.
    ['<request protocol="3.0"><app appid="a" oem="6" disk"/></request>', "NOT_XML", "1:52"],
  ];
  for (const [xml, code, place] of cases)
    test(`${code} ${xml.slice(0, 70).replaceAll("\n", "⏎")}`, () => {
      const { code: actual, position, message } = failure(xml);
      assert.equal(`${actual} ${position?.line}:${position?.column}`, `${code} ${place}`, message);
    });

  test("in words that repeat little of it, on one line", () => {
    const { message } = failure(inside(`<app appid="a"><event eventtype="&#10;${"x".repeat(1000)}"/></app>`));
    assert.match(message, /eventtype="\\nx{39}…" is no number$/);
  });

  test("bytes that are not UTF-8, with their place", () => {
    const bytes = Buffer.concat([Buffer.from("<a>\né"), Buffer.from([0xc3, 0x28]), Buffer.from("</a>")]);
    const { code, position } = failure(bytes);
    assert.deepEqual([code, position], ["NOT_UTF8", { offset: 5, line: 2, column: 2 }]);
    assert.equal(failure(Buffer.from([0xff])).position?.offset, 0);
    assert.equal(failure(Buffer.from([0x3c, 0xe2, 0x82])).position?.offset, 1);
  });
});

describe("what cannot be printed", () => {
  const app = { id: "a", events: [] };
  const refused = (request: OmahaRequest): void =>
    assert.throws(() => printRequest(request), { name: "OmahaError", code: "BAD_VALUE" });

  test("characters that XML does not have, numbers that are not whole, names that are none", () => {
    refused({ protocol: "3.0", apps: [{ ...app, oem: "a\u0000b" }] });
    refused({ protocol: "3.0", apps: [{ ...app, oem: "\ud800" }] });
    refused({ protocol: "3.0", apps: [{ ...app, installAge: 1.5 }] });
    refused({ protocol: "3.0", apps: [{ ...app, others: { "a b": "" } }] });
    refused({ protocol: "3.0", apps: [{ ...app, others: { appid: "b" } }] });
  });

  test("everything else is ASCII", () => {
    const oem = "<6\" & 'Ω'>\t😀\r\n";
    const text = printRequest({ protocol: "3.0", apps: [{ ...app, oem }] });
    assert.ok(text.includes(`oem="&lt;6&quot; &amp; '&#x3A9;'&gt;&#x9;&#x1F600;&#xD;&#xA;"`), text);
    assert.equal(readRequest(text).apps[0]?.oem, oem);
  });
});
