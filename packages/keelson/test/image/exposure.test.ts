import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { overExposed, parseExposureLimits } from "../../src/image/exposure.ts";
import { exposurePage, exposureTable, readLimits, withTable } from "./exposure-page.ts";

suite("exposure of the image's services", () => {
  test("the page says what the limits are", () => {
    const page = readFileSync(exposurePage, "utf8");
    assert.equal(
      page,
      withTable(page, exposureTable(readLimits())),
      "run: node packages/keelson/test/image/exposure-page.ts",
    );
  });

  test("a service at its limit passes; above it, or without one, it does not", () => {
    const limits = readLimits();
    const limit = limits["keeld.service"]?.limit ?? 0;
    assert.deepEqual(overExposed(limits, new Map([["keeld.service", limit]])), []);
    assert.deepEqual(
      overExposed(
        limits,
        new Map([
          ["keeld.service", limit + 0.1],
          ["new.service", 1],
        ]),
      ),
      [
        `keeld.service has an exposure of ${limit + 0.1}, and os/exposure.json allows ${limit}`,
        "new.service has an exposure of 1, and os/exposure.json has no limit for it",
      ],
    );
  });

  test("limits without reasons, of things that are no services, and beyond ten are refused", () => {
    for (const text of [
      "[]",
      '{"a.service":{"limit":1}}',
      '{"a.timer":{"limit":1,"reason":"long enough to be a reason"}}',
      '{"a.service":{"limit":11,"reason":"long enough to be a reason"}}',
    ])
      assert.throws(() => parseExposureLimits(text));
  });
});
