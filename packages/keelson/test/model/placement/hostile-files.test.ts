// Files that mean no good: every key with anything, and keys that contradict each other.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KeelError } from "../../../src/base/errors.ts";
import { keelsonKeys } from "../../../src/model/placement/keelson-section.ts";
import { readPlacement } from "../../../src/model/placement/read-placement.ts";

const timerKeys = [
  "OnCalendar",
  "OnActiveSec",
  "OnUnitActiveSec",
  "OnUnitInactiveSec",
  "RandomizedDelaySec",
  "Unit",
];
const values = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string(),
  fc.constantFrom(
    "",
    '"',
    '"a" "',
    "%",
    "%%",
    "%z",
    "%i",
    "%n",
    "-1",
    "0",
    "1",
    "1e3",
    "999999999",
    "9999999999999999999",
    "0x10",
    "NaN",
    "Infinity",
    "infinity",
    "1.5",
    "100%",
    "101%",
    "-0",
    "١",
    "yes",
    "no",
    "\u0000",
    "\\x00",
    "__proto__=x",
    "a=b=c",
    "=",
    "constructor",
    ":0",
    ":65535",
    ":65536",
    "http://[::1]:80/",
    "https://x:1/ y",
    "file:///etc/passwd",
    "1y",
    "1us",
    "0s",
    "86400000",
    "a.service",
    "../x.service",
    "w@.service",
    "*:*:*",
    "*-*-* 25:00",
    "2999-01-01",
    "*-02-30",
    "Mon..Fri *-*~31",
    "0/0",
    "x".repeat(5000),
    "1G",
    "16E",
    "99999999T",
  ),
);
const lines = fc.array(fc.tuple(fc.constantFrom(...keelsonKeys), values), { minLength: 1, maxLength: 6 });

function read(name: string, body: string): KeelError | undefined {
  try {
    readPlacement(name, body);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof KeelError, `${(error as Error).stack}\n${body}`);
    return error;
  }
}

const kinds = [
  "a.service",
  "w@.service",
  "w@1.service",
  "c.container",
  "t.timer",
  "k.kube",
  "n.network",
  "p.pod",
];

describe("any file", () => {
  test("[X-Keelson] with anything is read, or refused with its place", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...kinds),
        lines,
        fc.boolean(),
        fc.boolean(),
        (name, given, job, global) => {
          const body = [
            "[Service]",
            "ExecStart=/bin/true",
            ...(job ? ["Type=oneshot"] : []),
            ...(global ? ["[X-Fleet]", "Global=yes"] : []),
            "[X-Keelson]",
            ...given.map(([key, value]) => `${key}=${value}`),
          ].join("\n");
          const error = read(name, body);
          if (error === undefined) return;
          assert.match(error.code, /^KEEL-10[12]$/, `${error.message}\n${body}`);
          if (error.code !== "KEEL-102") return;
          const { line, column } = error.details ?? {};
          assert.ok(Number(line) >= 1 && Number(column) >= 1, error.message);
          assert.ok(error.message.length < 20_000);
        },
      ),
      { numRuns: 1500 },
    );
  });

  test("[Timer] with anything is read, or refused", () => {
    const given = fc.array(fc.tuple(fc.constantFrom(...timerKeys), values), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(given, (set) => {
        const error = read(
          "t.timer",
          `[Timer]\n${set.map(([key, value]) => `${key}=${value}`).join("\n")}\n`,
        );
        if (error !== undefined) assert.match(error.code, /^KEEL-10[12]$/);
      }),
      { numRuns: 800 },
    );
  });

  test("any bytes", () => {
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.uint8Array({ maxLength: 300 }), (name, bytes) => {
        try {
          readPlacement(name, bytes);
        } catch (error) {
          assert.ok(error instanceof KeelError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("what contradicts itself is refused with its place", () => {
  const cases: readonly (readonly [name: string, fleet: string, keelson: string, message: RegExp])[] = [
    ["a.service", "Global=yes", "MaxSurge=1", /MaxSurge= and Global=/],
    ["w@.service", "Global=yes", "Replicas=2", /Replicas= and Global=/],
    ["a.service", "", "Replicas=2", /Replicas= is for templates/],
    ["w@.service", "Global=yes", "SpreadOver=zone", /SpreadOver=/],
    ["a.service", "", "AfterUnit=a.service", /names the unit itself/],
    ["w@.service", "", "AfterUnit=w@%i.service", /names the unit itself/],
    ["w@.service", "", "RequiresUnit=w@.service", /names the unit itself/],
    ["w@1.service", "", "RequiresUnit=w@%i.service", /names the unit itself/],
    ["job.service", "", "MaxSurge=1", /MaxSurge= is not for units that run to their end/],
    ["job.service", "", "HealthTCP=:80", /HealthTCP= is not for units that run/],
    ["a.service", "", "Retries=1", /units that run to their end/],
    ["a.service", "", "MaxUnavailable=0", /needs MaxSurge/],
  ];
  for (const [name, fleet, keelson, message] of cases) {
    test(`${name}: ${fleet} ${keelson}`, () => {
      const type = name === "job.service" ? "Type=oneshot\n" : "";
      const error = read(
        name,
        `[Service]\nExecStart=/bin/true\n${type}[X-Fleet]\n${fleet}\n[X-Keelson]\n${keelson}\n`,
      );
      assert.equal(error?.code, "KEEL-102");
      assert.match(error.message, message);
    });
  }
});
