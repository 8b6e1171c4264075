import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FlagError } from "../../src/command/flag-error.ts";
import { FLAGS, variableOf } from "../../src/command/flag-table.ts";
import { complaint, parseDuration, parseInteger, urlComplaint } from "../../src/command/flag-values.ts";
import { flagHelp } from "../../src/command/help.ts";
import { nearestFlag } from "../../src/command/nearest-flag.ts";
import { parseCommandLine, readEnvironment, refuseUnsupported } from "../../src/command/parse-flags.ts";

function refusal(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof FlagError, String(error));
    return error.message;
  }
}

const given = (...argv: string[]): Record<string, string> => Object.fromEntries(parseCommandLine(argv).given);

describe("a command line", () => {
  test("is read as Go's flag package reads it", () => {
    assert.deepEqual(given("--name", "a", "-data-dir=/b", "--name=c"), { name: "c", "data-dir": "/b" });
    assert.deepEqual(given("--client-cert-auth"), { "client-cert-auth": "true" });
    assert.deepEqual(given("-client-cert-auth=F", "--cors="), { "client-cert-auth": "F", cors: "" });
    assert.deepEqual(given("--name", "--data-dir", "--"), { name: "--data-dir" });
    assert.equal(parseCommandLine(["--version"]).wants, "version");
    assert.equal(parseCommandLine(["--version=false"]).wants, "run");
    assert.equal(parseCommandLine(["--name", "a", "-h"]).wants, "help");
  });

  test("is refused in its words", () => {
    const cases: readonly (readonly [readonly string[], string])[] = [
      [["--nmae", "a"], "flag provided but not defined: -nmae (did you mean --name?)"],
      [["--something-else-entirely"], "flag provided but not defined: -something-else-entirely"],
      [["--name"], "flag needs an argument: -name"],
      [["---name"], "bad flag syntax: ---name"],
      [["-=a"], "bad flag syntax: -=a"],
      [["--client-cert-auth=maybe"], 'invalid boolean value "maybe" for -client-cert-auth: parse error'],
      [["--client-cert-auth", "false"], "'false' is not a valid flag"],
      [["--max-txn-ops", "x"], 'invalid value "x" for flag -max-txn-ops: parse error'],
      [["--max-txn-ops", "-1"], 'invalid value "-1" for flag -max-txn-ops: parse error'],
      [
        ["--max-concurrent-streams=4294967296"],
        'invalid value "4294967296" for flag -max-concurrent-streams: value out of range',
      ],
      [["--initial-cluster-state=old"], 'invalid value "old" for flag -initial-cluster-state: invalid value'],
      [
        ["--listen-client-urls=127.0.0.1:1"],
        'invalid value "127.0.0.1:1" for flag -listen-client-urls: URL scheme must be http, https, unix, or unixs: 127.0.0.1:1',
      ],
      [["gateway"], "'gateway' is not a valid flag"],
    ];
    for (const [argv, message] of cases)
      assert.equal(
        refusal(() => parseCommandLine(argv)),
        message,
      );
  });

  test("of anything is followed or refused", () => {
    const words = fc.oneof(
      fc.string(),
      fc.constantFrom(...FLAGS.keys()).map((name) => `--${name}`),
    );
    fc.assert(
      fc.property(fc.array(words), (argv) => {
        refusal(() => parseCommandLine(argv));
      }),
    );
  });
});

describe("flags that are not supported", () => {
  test("are refused with the reason, but for their defaults", () => {
    for (const { name, fallback, support, kind } of FLAGS.values()) {
      const other = kind === "bool" ? String(fallback !== "true") : `${fallback}1`;
      const message = refusal(() => refuseUnsupported(new Map([[name, other]])));
      if (typeof support === "string") assert.equal(message, undefined, name);
      else assert.equal(message, `--${name} is not supported by Keelson's store: ${support.refused}`);
      assert.equal(
        refusal(() => refuseUnsupported(new Map([[name, fallback]]))),
        undefined,
        name,
      );
    }
  });

  test("every default is a value of its flag, and every flag is in the help", () => {
    const help = flagHelp();
    for (const { name, kind, fallback } of FLAGS.values()) {
      assert.equal(complaint(kind, fallback), undefined, name);
      assert.ok(help.includes(`  --${name}`), name);
    }
  });
});

describe("the environment", () => {
  test("gives what the command line does not", () => {
    const { given, used, unknown, overruled } = readEnvironment(
      { ETCD_NAME: "a", ETCD_DATA_DIR: "/b", ETCD_CLIENT_CERT_AUTH: "", ETCD_OTHER: "1", HOME: "/" },
      new Map([["name", "c"]]),
    );
    assert.deepEqual([...given], [["data-dir", "/b"]]);
    assert.deepEqual([used, unknown, overruled], [["ETCD_DATA_DIR"], ["ETCD_OTHER"], ["ETCD_NAME"]]);
    assert.equal(
      refusal(() => readEnvironment({ ETCD_MAX_TXN_OPS: "x" }, new Map())),
      'invalid value "x" for ETCD_MAX_TXN_OPS: parse error',
    );
    assert.equal(variableOf("experimental-corrupt-check-time"), "ETCD_EXPERIMENTAL_CORRUPT_CHECK_TIME");
  });
});

describe("values", () => {
  test("durations are Go's", () => {
    const cases: Readonly<Record<string, number | undefined>> = {
      "1h30m": 5_400_000,
      "1.5s": 1500,
      "0": 0,
      "100ms": 100,
      "5us": 0.005,
      "-2m": -120_000,
      "10": undefined,
      "": undefined,
      "1d": undefined,
      h: undefined,
    };
    for (const [text, milliseconds] of Object.entries(cases))
      assert.equal(parseDuration(text), milliseconds, text);
  });

  test("integers are Go's", () => {
    assert.deepEqual(["0x10", "010", "0b11", "-5", "+7", "1e3", "", "0x"].map(parseInteger), [
      16n,
      8n,
      3n,
      -5n,
      7n,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("URLs are etcd's", () => {
    for (const url of [
      "http://127.0.0.1:2379",
      "https://[::1]:1",
      "unix:///run/a.sock",
      "http://0.0.0.0:0",
    ]) {
      assert.equal(urlComplaint(url), undefined);
    }
    assert.equal(urlComplaint("http://a"), 'URL address does not have the form "host:port": http://a');
    assert.equal(urlComplaint("http://a:1/b"), "URL must not contain a path: http://a:1/b");
  });

  test("a misspelt flag has a neighbour; a foreign word has none", () => {
    assert.equal(nearestFlag("listen-client-url"), "listen-client-urls");
    assert.equal(nearestFlag("autocompaction-mode"), "auto-compaction-mode");
    assert.equal(nearestFlag("zzzzzzzz"), undefined);
  });
});
