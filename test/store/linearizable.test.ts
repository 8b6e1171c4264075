// Concurrent clients on the embedded store while it is killed and frozen, and on a real cluster of three while its
// members are killed, paused and cut off: what they saw must have happened in one order that agrees with real time.
// KEELSON_TEST_SEED=N replays the faults of one run, KEELSON_TEST_SECONDS sets how long each of the two lasts.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { violations } from "./support/linearizable.ts";
import type { LogEntry, Operation } from "./support/linearizable.ts";
import { seeded } from "../../packages/etcd/test/seeded.ts";
import { ServerProcess } from "./support/server-process.ts";
import { etcd35 } from "./support/servers.ts";
import { run, wholeLog } from "./support/workload.ts";

const SECONDS = Number(process.env["KEELSON_TEST_SECONDS"] ?? 5);
const seed = Number(process.env["KEELSON_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const TRIAL = join(import.meta.dirname, "support/cluster-trial.ts");
const isRoot = process.getuid?.() === 0;

async function scratch(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "keelson-linearizable-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

test("the embedded store, killed and frozen", async (t) => {
  t.diagnostic(`KEELSON_TEST_SEED=${seed}`);
  const random = seeded(seed);
  await using dir = await scratch();
  await using server = await ServerProcess.start(dir.path, 500);
  const endpoints = [`http://${server.address}`];
  const keys = ["a", "b", "c"];
  const over = new AbortController();
  const running = run({ endpoints, clients: 6, keys, random, signal: over.signal });
  const until = performance.now() + SECONDS * 1000;
  while (performance.now() < until) {
    await pause(300 + random() * 700);
    if (random() < 0.6) {
      await server.kill();
      await pause(random() * 300);
      await server.restart();
    } else {
      server.signal("SIGSTOP");
      await pause(200 + random() * 1500);
      server.signal("SIGCONT");
    }
  }
  over.abort();
  const history = await running;
  const log = (await wholeLog(endpoints)).filter(({ key }) => keys.includes(key));
  assert.deepEqual(violations(log, history), []);
  const answered = history.filter((operation) => operation.answered !== undefined).length;
  t.diagnostic(`${history.length} operations, ${answered} answered`);
  assert.ok(answered > 20 && answered < history.length, "some calls were cut off, most were not");
});

const noNamespaces = !isRoot && "making network namespaces takes root";
test("a real cluster of three, killed, paused and cut off", { skip: noNamespaces }, async (t) => {
  const tools = await etcd35();
  if ("unavailable" in tools) return t.skip(tools.unavailable);
  t.diagnostic(`KEELSON_TEST_SEED=${seed}`);
  await using dir = await scratch();
  const trial = [process.execPath, TRIAL, tools.etcd, dir.path, String(seed), String(SECONDS)];
  // The kernel ends it with this process, and the cluster ends with it.
  const argv = ["--pdeathsig", "KILL", "--", "unshare", "--net", ...trial];
  const limits = { maxBuffer: 64 << 20, timeout: 120_000 + 2000 * SECONDS };
  const { stdout } = await promisify(execFile)("setpriv", argv, limits);
  const result = JSON.parse(stdout) as { answered: number; faults: string[]; violations: string[] };
  assert.deepEqual(result.violations, []);
  t.diagnostic(`${result.answered} operations answered; ${result.faults.join(", ")}`);
  assert.ok(result.answered > 20 && result.faults.length > 1);
});

describe("the checker", () => {
  const log: LogEntry[] = [
    { revision: 2, key: "a", value: "1" },
    { revision: 3, key: "a", value: "2" },
    { revision: 4, key: "a", value: undefined },
  ];
  const call = (called: number, answered: number, revision: number) => ({
    client: 0,
    key: "a",
    called,
    answered,
    revision,
  });
  const lawful: Operation[] = [
    { ...call(0, 10, 2), kind: "put", value: "1" },
    { ...call(5, 15, 3), kind: "swap", expected: "1", value: "2", succeeded: true, found: undefined },
    { ...call(12, 14, 2), kind: "get", found: "1" },
    { ...call(16, 17, 3), kind: "get", found: "2" },
    { ...call(18, 19, 4), kind: "delete", deleted: 1 },
    { ...call(20, 21, 4), kind: "get", found: undefined },
  ];

  test("accepts a lawful history", () => assert.deepEqual(violations(log, lawful), []));

  const unlawful: Record<string, Operation> = {
    "a stale read": { ...call(16, 17, 2), kind: "get", found: "1" },
    "a read of nothing that was there": { ...call(16, 17, 3), kind: "get", found: "7" },
    "a lost write": { ...call(20, 30, 5), kind: "put", value: "3" },
    "a swap of another value": {
      ...call(5, 15, 3),
      kind: "swap",
      expected: "9",
      value: "2",
      succeeded: true,
      found: undefined,
    },
    "a swap that should have succeeded": {
      ...call(5, 15, 2),
      kind: "swap",
      expected: "1",
      value: "5",
      succeeded: false,
      found: "1",
    },
    "a deletion of nothing": { ...call(30, 31, 4), kind: "delete", deleted: 1 },
  };
  for (const [name, operation] of Object.entries(unlawful)) {
    test(`finds ${name}`, () => assert.notDeepEqual(violations(log, [...lawful, operation]), []));
  }

  test("finds a write that nobody made", () => {
    assert.notDeepEqual(violations([...log, { revision: 5, key: "a", value: "ghost" }], lawful), []);
  });
});

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
