import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseConfigFile } from "../../src/command/config-file.ts";
import { FlagError } from "../../src/command/flag-error.ts";
import { parseCommandLine } from "../../src/command/parse-flags.ts";
import { runStore } from "../../src/command/run.ts";
import { settingsOf, type Settings } from "../../src/command/settings.ts";
import { logWriter, zapLog } from "../../src/command/zap-log.ts";

const settings = (...argv: string[]): Settings => settingsOf(parseCommandLine(argv).given);

function refusal(...argv: string[]): string | undefined {
  try {
    settings(...argv);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof FlagError, String(error));
    return error.message;
  }
}

describe("settings", () => {
  test("without flags are etcd's defaults", () => {
    const { server, logLevel, logOutputs, warnings } = settings();
    assert.deepEqual(server, {
      name: "default",
      dataDir: "default.etcd",
      listen: [{ host: "127.0.0.1", port: 2379, tls: undefined }],
      httpListen: [],
      metricsListen: [],
      advertiseClientUrls: ["http://localhost:2379"],
      peerUrls: ["http://localhost:2380"],
      cors: ["*"],
      hosts: ["*"],
      gateway: true,
      metrics: "basic",
      leastLeaseTtl: 2,
      watchProgressMs: 600_000,
      auth: { token: "simple", tokenTtl: 300, bcryptCost: 10 },
      limits: { maxTxnOps: 128, maxRequestBytes: 1_572_864, quotaBytes: 2 ** 31, snapshotCount: 100_000 },
      transport: { keepalive: { minTime: 5000, interval: 7_200_000, timeout: 20_000 } },
    });
    assert.deepEqual([logLevel, logOutputs, warnings], ["info", ["default"], []]);
  });

  test("say what one client may ask of a connection", () => {
    const { transport } = settings(
      "--max-concurrent-streams=7",
      "--grpc-keepalive-interval=0",
      "--grpc-keepalive-min-time=0",
    ).server;
    const keepalive = { minTime: 300_000, interval: 7_200_000, timeout: 20_000 };
    assert.deepEqual(transport, { streams: 7, keepalive });
  });

  test("say what history is kept", () => {
    const kept = (...argv: string[]) => settings(...argv).server.autoCompaction;
    const retain = (text: string) => `--auto-compaction-retention=${text}`;
    assert.deepEqual(kept(retain("1")), { mode: "periodic", periodMs: 3_600_000 });
    assert.deepEqual(kept(retain("10m")), { mode: "periodic", periodMs: 600_000 });
    assert.deepEqual(kept(retain("1000"), "--auto-compaction-mode=revision"), {
      mode: "revision",
      keepRevisions: 1000,
    });
    assert.equal(kept(retain("0"), "--auto-compaction-mode=revision"), undefined);
    assert.match(refusal(retain("soon")) ?? "", /^error parsing CompactionRetention/);
    assert.match(refusal(retain("5m"), "--auto-compaction-mode=revision") ?? "", /no number of revisions/);
    assert.equal(refusal("--auto-compaction-mode=never"), 'unknown auto-compaction-mode "never"');
  });

  test("make the least TTL of one and a half elections", () => {
    const least = (...argv: string[]) => settings(...argv).server.leastLeaseTtl;
    assert.equal(least("--election-timeout=5000"), 8);
    assert.equal(least("--election-timeout=500", "--heartbeat-interval=50"), 1);
    assert.equal(
      refusal("--election-timeout=100"),
      "--election-timeout[100ms] should be at least as 5 times as --heartbeat-interval[100ms]",
    );
    assert.equal(
      refusal("--election-timeout=60000"),
      "--election-timeout[60000ms] is too long, and should be set less than 50000ms",
    );
  });

  test("take TLS where the URL asks for it", () => {
    const urls = (scheme: string) => [
      `--listen-client-urls=${scheme}://127.0.0.1:1`,
      `--advertise-client-urls=${scheme}://127.0.0.1:1`,
    ];
    const tls = [
      "--cert-file=c",
      "--key-file=k",
      "--trusted-ca-file=a",
      "--client-cert-auth",
      "--tls-min-version=TLS1.3",
    ];
    assert.deepEqual(settings(...urls("https"), ...tls).server.listen, [
      {
        host: "127.0.0.1",
        port: 1,
        tls: { certFile: "c", keyFile: "k", trustedCaFile: "a", clientCertAuth: true, minVersion: "TLS1.3" },
      },
    ]);
    assert.match(refusal(...urls("https")) ?? "", /^TLS key\/cert .* must be provided for client url/);
    assert.equal(settings(...urls("http"), ...tls).warnings.length, 2);
    assert.deepEqual(
      settings("--listen-client-urls=unix:///a", "--advertise-client-urls=unix:///a").server.listen,
      [{ path: "/a", tls: undefined }],
    );
    assert.equal(
      refusal("--listen-metrics-urls=https://127.0.0.1:2"),
      "client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url",
    );
    assert.equal(
      refusal("--tls-min-version=TLS1.3", "--cert-file=c", "--key-file=k", "--cipher-suites=X"),
      "cipher suites cannot be configured when only TLS1.3 is enabled",
    );
  });

  test("take a certificate that is made for the purpose", () => {
    const urls = "https://127.0.0.1:1,https://[::1]:1,http://127.0.0.1:2";
    const given = [
      `--listen-client-urls=${urls}`,
      `--advertise-client-urls=${urls}`,
      "--auto-tls",
      "--data-dir=/d",
    ];
    const folder = "/d/fixtures/client";
    assert.deepEqual(settings(...given).autoTls, { folder, hosts: ["127.0.0.1", "::1"], years: 1 });
    assert.equal(settings(...given).server.listen[0]?.tls?.certFile, `${folder}/cert.pem`);
    assert.equal(settings(...given, "--cert-file=c", "--key-file=k").autoTls, undefined);
    assert.match(refusal("--self-signed-cert-validity=0") ?? "", /from 1 to 100/);
  });

  test("make one place of http and https at one address", () => {
    const urls = "http://127.0.0.1:1,https://127.0.0.1:1,http://127.0.0.1:2";
    const tls = { certFile: "c", keyFile: "k", minVersion: "TLS1.2" };
    const { listen } = settings(
      `--listen-client-urls=${urls}`,
      `--advertise-client-urls=${urls}`,
      "--cert-file=c",
      "--key-file=k",
    ).server;
    assert.deepEqual(listen, [
      { host: "127.0.0.1", port: 1, tls, plainToo: true },
      { host: "127.0.0.1", port: 2, tls: undefined },
    ]);
  });

  test("are those of one member", () => {
    const peers = "--initial-advertise-peer-urls=http://10.0.0.1:2380";
    assert.deepEqual(settings("--name=a", peers, "--initial-cluster=a=http://10.0.0.1:2380").warnings, []);
    assert.match(
      refusal("--name=a", "--initial-cluster=a=http://x:1,b=http://y:1") ?? "",
      /several members.*keel store grow/,
    );
    assert.match(refusal("--initial-cluster=b=http://x:1") ?? "", /couldn't find local name "default"/);
    assert.match(
      refusal("--initial-cluster=default=http://x:1") ?? "",
      /missing from --initial-advertise-peer-urls/,
    );
    assert.match(refusal("--initial-cluster-state=existing") ?? "", /cannot join/);
  });

  test("name what cannot be", () => {
    assert.equal(
      refusal("--listen-client-urls=http://127.0.0.1:1"),
      "--advertise-client-urls is required when --listen-client-urls is set explicitly",
    );
    const advertised = "--advertise-client-urls=http://a:1";
    assert.equal(
      refusal("--listen-client-urls=http://a:1", advertised),
      "expected IP in URL for binding (http://a:1)",
    );
    assert.equal(
      refusal("--listen-client-urls=http://127.0.0.1:70000", advertised),
      "there is no port 70000 (http://127.0.0.1:70000)",
    );
    assert.match(refusal("--metrics=all") ?? "", /basic or extensive/);
    assert.match(refusal("--log-level=loud") ?? "", /debug or info or/);
    assert.match(refusal("--logger=capnslog") ?? "", /unknown logger/);
    assert.match(refusal("--bcrypt-cost=3") ?? "", /from 4 to 31/);
  });
});

describe("a configuration file", () => {
  test("has the flags' names, and TLS in sections", () => {
    const text = `
name: a
data-dir: /b
listen-client-urls: https://127.0.0.1:1
advertise-client-urls: https://127.0.0.1:1
heartbeat-interval: 200
log-outputs: [stderr, "/tmp/l"]
client-transport-security:
  cert-file: c
  client-cert-auth: true
strict-reconfig-check: false
discovery:
`;
    assert.deepEqual(Object.fromEntries(parseConfigFile(text, "f")), {
      name: "a",
      "data-dir": "/b",
      "listen-client-urls": "https://127.0.0.1:1",
      "advertise-client-urls": "https://127.0.0.1:1",
      "heartbeat-interval": "200",
      "log-outputs": "stderr,/tmp/l",
      "cert-file": "c",
      "client-cert-auth": "true",
      "strict-reconfig-check": "false",
    });
  });

  test("is refused where it cannot be followed", () => {
    const cases: Readonly<Record<string, RegExp>> = {
      "nmae: a": /f: there is no "nmae"/,
      "max-txn-ops: many": /f: invalid value for max-txn-ops: parse error/,
      "name: {a: 1}": /neither text nor a number/,
      "- a": /no mapping/,
      "a: [": /f: /,
      "client-transport-security: {nope: 1}": /there is no "client-transport-security.nope"/,
      "a: &a [*a]": /f: /,
    };
    for (const [text, message] of Object.entries(cases)) {
      assert.throws(
        () => parseConfigFile(text, "f"),
        (error) => error instanceof FlagError && message.test(error.message),
        text,
      );
    }
  });

  test("of anything is followed or refused", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseConfigFile(text, "f");
        } catch (error) {
          assert.ok(error instanceof FlagError, String(error));
        }
      }),
    );
  });
});

describe("the log", () => {
  test("has zap's form", () => {
    const lines: string[] = [];
    const log = zapLog(
      (line) => lines.push(line),
      "info",
      () => 1_000.25,
    );
    log("debug", "not this");
    log("info", "ready", { id: 5n, error: new Error("why") });
    const places = lines.map((line) => (JSON.parse(line) as { readonly caller: string }).caller);
    assert.match(places.join(), /^command\/settings\.test\.ts:\d+$/);
    assert.deepEqual(
      lines.map((line) => line.replace(/"caller":"[^"]*",/, "")),
      ['{"level":"info","ts":"1970-01-01T00:00:01.000250Z","msg":"ready","id":"5","error":"why"}\n'],
    );
  });

  test("goes where it is sent", async () => {
    const folder = await mkdtemp(join(tmpdir(), "keelson-log-"));
    try {
      const [out, err]: [string[], string[]] = [[], []];
      const file = join(folder, "log");
      const terminal = { out: (line: string) => out.push(line), err: (line: string) => err.push(line) };
      logWriter(["stdout", file], {
        out: (line) => void terminal.out(line),
        err: (line) => void terminal.err(line),
      })("a\n");
      assert.deepEqual([out, err, await readFile(file, "utf8")], [["a\n"], [], "a\n"]);
      const nowhere = () =>
        logWriter([join(folder, "no/such")], { out: () => undefined, err: () => undefined });
      assert.throws(nowhere, FlagError);
      const journal = () => logWriter(["systemd/journal"], { out: () => undefined, err: () => undefined });
      assert.throws(journal, FlagError);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("the command", () => {
  const run = async (...argv: string[]) => {
    const [out, err]: [string[], string[]] = [[], []];
    const signal = AbortSignal.abort();
    const code = await runStore(argv, {
      program: "x",
      environment: {},
      out: (text) => void out.push(text),
      err: (text) => void err.push(text),
      signal,
    });
    return { code, out: out.join(""), err: err.join("") };
  };

  test("ends with etcd's exit codes", async () => {
    assert.equal((await run("--bogus")).code, 2);
    assert.match((await run("--bogus")).err, /^flag provided but not defined: -bogus\nUsage:/);
    const refused = await run("--unsafe-no-fsync");
    assert.equal(refused.code, 1);
    assert.match(
      refused.err,
      /"msg":"failed to verify flags","error":"--unsafe-no-fsync is not supported by Keelson's store/,
    );
    const help = await run("--help");
    assert.deepEqual([help.code, help.out.includes("Security:\n"), help.err], [0, true, ""]);
    assert.match((await run("--version")).out, /^etcd Version: 3\.5\.16\n/);
  });

  test("serves until it is told to end, and leaves in order", async () => {
    const folder = await mkdtemp(join(tmpdir(), "keelson-run-"));
    try {
      const url = "http://127.0.0.1:0";
      const { code, err } = await run(
        `--data-dir=${join(folder, "d")}`,
        `--listen-client-urls=${url}`,
        `--advertise-client-urls=${url}`,
      );
      assert.equal(code, 0);
      const messages = err
        .trimEnd()
        .split("\n")
        .map((line) => (JSON.parse(line) as { readonly msg: string }).msg);
      assert.deepEqual(messages, [
        "starting an etcd server",
        "enabled capabilities for version",
        "published local member",
        "ready to serve client requests",
        "serving client traffic insecurely; this is strongly discouraged!",
        "closing etcd server",
        "closed etcd server",
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
