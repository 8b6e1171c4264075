import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { OmahaError, readRequest } from "../src/index.ts";

// The form in which update_engine 0.4.10 sends a check after an update.
const check = `<?xml version="1.0" encoding="UTF-8"?>
<request protocol="3.0" version="update_engine-0.4.10" updaterversion="update_engine-0.4.10" installsource="scheduler" ismachine="1">
    <os version="Chateau" platform="CoreOS" sp="2.0.0_x86_64"></os>
    <app appid="{E96281A6-d1af-4bde-9a0a-97b76e56dc57}" version="2.0.0" track="prod" bootid="{8158f946-0327-4ed3-b72f-b0f3c4605d35}" oem="" oemversion="" alephversion="1.0.0" machineid="4e502b3096414651b65fe3f377adc241" machinealias="" lang="en-US" board="amd64-usr" hardware_class="" delta_okay="false" >
        <ping active="1"></ping>
        <updatecheck></updatecheck>
        <event eventtype="3" eventresult="2" previousversion="1.0.0"></event>
    </app>
</request>
`;

const code = (xml: string): string => {
  try {
    readRequest(xml);
  } catch (error) {
    if (error instanceof OmahaError) return error.code;
    throw error;
  }
  return "none";
};

describe("reading a request", () => {
  test("update_engine’s check after an update", () => {
    const { apps, ...request } = readRequest(check);
    assert.deepEqual(request, {
      protocol: "3.0",
      updaterVersion: "update_engine-0.4.10",
      installSource: "scheduler",
      os: { platform: "CoreOS", version: "Chateau", servicePack: "2.0.0_x86_64", arch: "" },
    });
    const [app] = apps;
    assert.equal(app?.id, "e96281a6-d1af-4bde-9a0a-97b76e56dc57");
    assert.equal(app.sentId, "{E96281A6-d1af-4bde-9a0a-97b76e56dc57}");
    assert.equal(app.bootId, "8158f946-0327-4ed3-b72f-b0f3c4605d35");
    assert.deepEqual([app.ping, app.updateCheck, app.deltaOkay], [true, true, false]);
    assert.deepEqual(app.events, [{ type: 3, result: 2, errorCode: 0, previousVersion: "1.0.0" }]);
    assert.equal(app.attributes["hardware_class"], "");
  });

  test("what is refused says why", () => {
    assert.equal(code(""), "NOT_XML");
    assert.equal(code("<request"), "NOT_XML");
    assert.equal(code('<!DOCTYPE x [<!ENTITY a "b">]><request protocol="3.0"/>'), "NOT_XML");
    assert.equal(code('<response protocol="3.0"/>'), "NOT_OMAHA");
    assert.equal(code('<request protocol="2.0"/>'), "UNSUPPORTED_PROTOCOL");
    assert.equal(code('<request protocol="3.0"><app/></request>'), "BAD_VALUE");
    assert.equal(
      code('<request protocol="3.0"><app appid="a"><event eventtype="many"/></app></request>'),
      "BAD_VALUE",
    );
    assert.equal(
      code(`<request protocol="3.0">${"<a>".repeat(100)}${"</a>".repeat(100)}</request>`),
      "TOO_LARGE",
    );
    assert.equal(code(`<request protocol="3.0">${" ".repeat(300_000)}</request>`), "TOO_LARGE");
    assert.equal(code(`<request protocol="3.0">${'<app appid="a"/>'.repeat(65)}</request>`), "TOO_LARGE");
  });

  test("garbage is an OmahaError and nothing else", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.nat(check.length), (noise, at) => {
        code(noise);
        code(check.slice(0, at) + noise + check.slice(at));
        return true;
      }),
    );
  });
});
