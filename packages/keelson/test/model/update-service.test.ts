import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  applicationCodec,
  defaultPolicy,
  packageCodec,
  updateGroupCodec,
} from "../../src/model/update-service.ts";

const bytes = (record: object): Uint8Array => new TextEncoder().encode(JSON.stringify(record));
const group = { application: "com.example.app", name: "prod", channel: "stable" };
const refused = (policy: object) =>
  assert.throws(() => updateGroupCodec.decode("key", bytes({ ...group, policy })), { code: "KEEL-402" });

describe("records of the update service", () => {
  test("a group without a policy has a canary and brakes", () => {
    const { policy } = updateGroupCodec.decode("key", bytes(group));
    assert.deepEqual(policy, defaultPolicy);
    assert.ok((policy.waves[0]?.percent ?? 100) <= 5 && policy.halt !== null);
    const read = updateGroupCodec.decode(
      "key",
      new TextEncoder().encode(updateGroupCodec.encode({ ...group, tracks: [], description: "", policy })),
    );
    assert.deepEqual(read.policy, policy);
  });

  test("policies that mean nothing are refused", () => {
    refused({ waves: [{ percent: 50, afterSeconds: 0 }] });
    refused({
      waves: [
        { percent: 50, afterSeconds: 10 },
        { percent: 100, afterSeconds: 0 },
      ],
    });
    refused({ windows: [{ days: ["mon"], start: "24:00", minutes: 5 }] });
    refused({ windows: [{ days: ["mon"], start: "04:00", minutes: 5, timezone: "Mars/Olympus" }] });
    refused({ exclude: [{ field: "oem" }] });
    refused({ exclude: [{ field: "oem", equals: "a", startsWith: "a" }] });
    refused({ atOnce: 0 });
    refused({ pin: "latest" });
    refused({ halt: { failures: 1, share: 0, ofAtLeast: 1 } });
  });

  test("an application is a UUID or a product id", () => {
    const read = (id: string) => applicationCodec.decode("key", bytes({ id, name: "x", kind: "other" })).id;
    for (const id of ["e96281a6-d1af-4bde-9a0a-97b76e56dc57", "com.example.app"]) assert.equal(read(id), id);
    for (const id of [
      "",
      "app",
      "{e96281a6-d1af-4bde-9a0a-97b76e56dc57}",
      "com/example",
      "Com.Example.App",
      `a.${"b".repeat(160)}`,
    ])
      assert.throws(() => read(id), { code: "KEEL-402" }, id);
  });

  test("a package has files with whole hashes", () => {
    const file = {
      name: "update.gz",
      size: 1,
      sha256: "ab".repeat(32),
      sha1: "mKGzZoXmjOLFq+cUTJFJV+sfpeA=",
    };
    const read = (one: object) =>
      packageCodec.decode(
        "key",
        bytes({
          application: "com.example.app",
          version: "1.0.0",
          architecture: "amd64",
          added: 0,
          files: [one],
        }),
      );
    assert.equal(read(file).files[0]?.required, true);
    for (const wrong of [{ name: "../x" }, { size: 0 }, { sha256: "ab" }, { sha1: "AAAA" }])
      assert.throws(() => read({ ...file, ...wrong }), { code: "KEEL-402" });
  });
});
