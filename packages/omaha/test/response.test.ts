import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OmahaError, answerTo, printResponse, readRequest, readResponse } from "../src/index.ts";
import type { OmahaResponse } from "../src/index.ts";
import { recording, recordings } from "./recordings.ts";

const update: OmahaResponse = {
  protocol: "3.0",
  server: "nebraska",
  dayStart: { elapsedSeconds: 0 },
  apps: [
    {
      id: "7b99775f-0e39-4787-9a77-89599597ed02",
      status: "ok",
      ping: { status: "ok" },
      updateCheck: {
        status: "ok",
        urls: [{ codebase: "http://127.0.0.1:24040/" }],
        manifests: [
          {
            version: "2.0.0",
            packages: [
              { name: "update.gz", hash: "mKGzZoXmjOLFq+cUTJFJV+sfpeA=", size: 6_310_131, required: true },
            ],
            actions: [
              {
                event: "postinstall",
                sha256: "fbJNPvKoDEznyDjxU/sAIZh4bpddJWK7NT0Ry5d+c4M=",
                disablePayloadBackoff: true,
              },
            ],
          },
        ],
      },
      events: [{ status: "ok" }],
    },
  ],
};

describe("a response", () => {
  test("with an update is read and printed as it was recorded", () => {
    assert.deepEqual(readResponse(recording("full 1").response), update);
    assert.equal(printResponse(update), recording("full 1").response);
  });

  test("of the recorded server is printed byte for byte", () => {
    for (const { name, response } of recordings)
      assert.equal(printResponse(readResponse(response)), response, name);
  });

  test("may be written with empty elements, white space and attributes of others", () => {
    const response = readResponse(`<?xml version='1.0' encoding='utf-8' standalone='yes'?>
      <!-- of a devserver --><response protocol="3.0">
        <daystart elapsed_seconds="x" elapsed_days="3605"/>
        <app appid="{a}" status="error-noPackageFound" cohort=""><updatecheck status="noupdate" PollInterval="3600" _eol_version="1"/></app>
      </response>`);
    assert.deepEqual(JSON.parse(JSON.stringify(response)), {
      protocol: "3.0",
      dayStart: { elapsedDays: 3605, others: { elapsed_seconds: "x" } },
      apps: [
        {
          id: "{a}",
          status: "error-noPackageFound",
          cohort: "",
          updateCheck: {
            status: "noupdate",
            pollInterval: 3600,
            others: { _eol_version: "1" },
            urls: [],
            manifests: [],
          },
          events: [],
        },
      ],
    });
    assert.deepEqual(readResponse(printResponse(response)), response);
  });

  test("with floors has one manifest after the other", () => {
    const manifest = { packages: [], actions: [] };
    const floors: OmahaResponse = {
      protocol: "3.0",
      apps: [
        {
          id: "a",
          events: [],
          updateCheck: {
            status: "ok",
            urls: [{ codebase: "http://a/" }, { codebase: "http://b/" }],
            manifests: [
              { ...manifest, version: "1.0.0", isFloor: true, floorReason: 'new "layout"' },
              { ...manifest, version: "2.0.0", isTarget: true },
            ],
          },
        },
      ],
    };
    assert.deepEqual(readResponse(printResponse(floors)), floors);
  });

  test("that is a request, or an application without its id, is refused", () => {
    const code = (xml: string) => {
      try {
        readResponse(xml);
      } catch (error) {
        return error instanceof OmahaError ? `${error.code} ${error.position?.column}` : error;
      }
      return "read";
    };
    assert.equal(code(recording("full 1").request), "NOT_OMAHA 1");
    assert.equal(code('<response protocol="3.0"><app status="ok"/></response>'), "BAD_VALUE 26");
    assert.equal(code('<response protocol="4.0"/>'), "UNSUPPORTED_PROTOCOL 1");
    assert.equal(code(""), "NOT_XML 1");
  });
});

describe("an answer", () => {
  test("repeats the id, hears the ping and every event, and says what it is given of an update", () => {
    for (const { name, request, response } of recordings) {
      const recorded = readResponse(response);
      const apps = readRequest(request).apps.map((app, place) => ({
        ...answerTo(app, recorded.apps[place]?.updateCheck),
        status: recorded.apps[place]?.status ?? "",
      }));
      assert.equal(printResponse({ ...recorded, apps }), response, name);
    }
  });

  test("is that there is no update, unless one is given", () => {
    const [app] = readRequest(recording("reboot 1").request).apps;
    assert.ok(app);
    const text = printResponse({
      protocol: "3.0",
      server: "nebraska",
      dayStart: { elapsedSeconds: 0 },
      apps: [answerTo(app)],
    });
    assert.equal(text, recording("reboot 1").response);
  });
});
