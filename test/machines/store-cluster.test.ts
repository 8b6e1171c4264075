// The store becomes a cluster of etcd and comes back, on real machines, while units run and somebody writes all the
// time: nothing moves, nothing restarts, no write is lost or made twice.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { TestContext } from "node:test";
import type { StoreStatusView } from "../../packages/keelson/src/api/wire/store.ts";
import { Cluster, DoubleWatch, probeUnit, processes, runningProbes, sleep } from "../support/cluster.ts";
import { whyNoMachines } from "../support/machines.ts";
import { PATIENCE_MS, patiently } from "../support/patiently.ts";
import { unlessBusy } from "../support/time-to-spare.ts";

const cluster = new Cluster(`t${process.pid}-store`);
const skip = whyNoMachines();
const names = Array.from({ length: 4 }, (_, i) => `probe-${i + 1}.service`);
const base64 = (text: string): string => Buffer.from(text).toString("base64");

const running = (): Record<string, string> =>
  Object.fromEntries(
    runningProbes(cluster.name).map(({ unit, machine, pid }) => [unit, `${machine} ${pid}`]),
  );

const status = async (): Promise<StoreStatusView> => {
  const answer = await cluster.api("GET", "/v1/store");
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body as StoreStatusView;
};

async function settled(machines: readonly string[]): Promise<StoreStatusView> {
  for (const end = performance.now() + PATIENCE_MS; ; await sleep(250)) {
    const store = await status().catch(() => undefined);
    const on = store?.members.filter(({ healthy, role }) => healthy && role !== "learner");
    const isThere =
      on
        ?.map(({ machineName }) => machineName)
        .toSorted()
        .join() === machines.join();
    if (store !== undefined && isThere && store.members.length === machines.length) return store;
    if (performance.now() > end)
      assert.fail(`the store is not on ${machines.join()}: ${JSON.stringify(store)}`);
  }
}

/** Writes keys that must not exist yet, one after the other, until it is stopped. */
class Writer {
  readonly acknowledged: string[] = [];
  longestMs = 0;
  readonly #prefix: string;
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.#running = this.#write();
  }

  async stop(t: TestContext): Promise<void> {
    this.#stopped = true;
    await this.#running;
    const longest = `the longest took ${Math.round(this.longestMs)} ms`;
    t.diagnostic(`${this.acknowledged.length} writes, ${longest}`);
    const query = new URLSearchParams({ key: base64(this.#prefix), end: base64(`${this.#prefix}~`) });
    const found: { key: string; version: number }[] = [];
    for (let page = query; ;) {
      const { body } = await cluster.api("GET", `/v1/store/keys?${page.toString()}`);
      const { keys, more } = body as { keys: { key: string; version: number }[]; more: boolean };
      found.push(...keys);
      const last = keys.at(-1);
      if (!more || last === undefined) break;
      const next = `${Buffer.from(last.key, "base64").toString()}\0`;
      page = new URLSearchParams({ key: base64(next), end: base64(`${this.#prefix}~`) });
    }
    const versions = new Map(found.map(({ key, version }) => [key, version]));
    const lost = this.acknowledged.filter((key) => !versions.has(base64(key)));
    assert.deepEqual(lost, [], "every write that was acknowledged is there");
    assert.deepEqual(
      found.filter(({ version }) => version !== 1),
      [],
      "none was made twice",
    );
    assert.ok(this.acknowledged.length > 0);
  }

  async #write(): Promise<void> {
    for (let number = 0; !this.#stopped; number++) {
      const key = `${this.#prefix}${String(number).padStart(8, "0")}`;
      const started = performance.now();
      for (;;) {
        const body = { key: base64(key), value: base64(String(number)), unchangedSince: 0 };
        const answer = await cluster.api("POST", "/v1/store/keys/put", body).catch(() => undefined);
        // Written after all, by a try that was not answered.
        const code = (answer?.body as { error?: { code?: string } } | undefined)?.error?.code;
        if (answer?.status === 200 || code === "KEEL-714") break;
        assert.ok(performance.now() - started < 60_000, JSON.stringify(answer));
        await sleep(20);
      }
      this.longestMs = Math.max(this.longestMs, performance.now() - started);
      this.acknowledged.push(key);
      await sleep(2);
    }
  }
}

describe("the store’s own cluster", { skip, timeout: 1_200_000 }, () => {
  before(async () => {
    await cluster.keel(["up", "--no-example"]);
    await cluster.start(Object.fromEntries(names.map((name) => [name, probeUnit()])));
    await cluster.until("every probe healthy", ({ instances }) =>
      names.every((name) => instances.some((it) => it.name === name && it.state === "healthy")),
    );
  });
  after(() => cluster.down());

  test("the mover dies in the middle: what it began is taken back, and the store goes on", async (t) => {
    const was = running();
    // Its answer ends with the daemon.
    void cluster.api("POST", "/v1/store/move", { to: "etcd", members: 3 }).catch(() => undefined);
    await cluster.until("members start", () => processes(cluster.name, /^\/usr\/bin\/etcd/).length > 0);
    for (const { pid, machine } of processes(cluster.name, /keeld\.js/))
      if (machine.startsWith("host.")) process.kill(pid, "SIGKILL");
    await cluster.keel(["up", "--no-example"]);
    await cluster.until("no member is left", () => processes(cluster.name, /^\/usr\/bin\/etcd/).length === 0);
    const store = await status();
    assert.equal(store.kind, "embedded");
    const put = { key: base64("after"), value: base64("it") };
    assert.equal((await cluster.api("POST", "/v1/store/keys/put", put)).status, 200);
    unlessBusy(t, () => assert.deepEqual(running(), was));
  });

  test("it grows to three members: writers wait a moment, nothing moves", async (t) => {
    const was = running();
    const { revision } = await status();
    const writer = new Writer("grow/");
    await sleep(500);
    const grown = await cluster.keel(["store", "grow", "--yes"]);
    t.diagnostic(grown.stdout.trim().split("\n").at(-1) ?? "");
    await sleep(2000);
    await writer.stop(t);
    const store = await settled(["m1", "m2", "m3"]);
    assert.equal(store.kind, "etcd");
    assert.ok(store.revision > revision);
    assert.ok(store.endpoints.every((endpoint) => endpoint.startsWith("https://")));
    await sleep(8000);
    unlessBusy(t, () => assert.deepEqual(running(), was));
    const { snapshot } = await cluster.until("machines up", ({ machines }) =>
      machines.every(({ state }) => state === "up"),
    );
    unlessBusy(t, () => assert.deepEqual(snapshot.alarms, {}));
  });

  test("a second growth, a restore, and a replacement that nobody can take, are refused with their reasons", async () => {
    const { stderr } = await cluster.keel(["store", "grow", "--yes"], { expect: 8 });
    assert.match(stderr, /the store is a cluster already/);
    const replacement = await cluster.keel(["store", "replace", "m1"], { expect: 8 });
    assert.match(replacement.stderr, /no machine is free[^]*keel machine add/);
    const restored = await cluster.keel(["store", "restore", "/dev/null", "--yes"], { expect: 8 });
    assert.match(restored.stderr, /cluster of etcd[^]*migrate --to embedded/);
  });

  test("a machine with a member loses its power: the store goes on, and the member is replaced", async (t) => {
    await cluster.keel(["machine", "add", "m4"]);
    const doubles = new DoubleWatch(cluster.name);
    const writer = new Writer("kill/");
    await sleep(300);
    await cluster.keel(["machine", "kill", "m2"]);
    const silent = /1 of 3 members do not answer/;
    await patiently(async () => assert.match((await status()).words.join(), silent), 250);
    await cluster.keel(["machine", "rm", "m2", "--yes", "--max-impact", "100"]);
    await settled(["m1", "m3", "m4"]);
    await writer.stop(t);
    await doubles.stop();
    assert.deepEqual(doubles.doubles, []);
  });

  test("all machines lose their power at once: the members come back by themselves", async () => {
    const before = await status();
    const all = ["m1", "m3", "m4"];
    await cluster.keel(["machine", "kill", ...all]);
    await cluster.keel(["machine", "start", ...all]);
    const store = await settled(all);
    assert.equal(store.clusterId, before.clusterId);
    assert.ok(store.revision >= before.revision);
    await cluster.until("every probe healthy", ({ instances }) =>
      names.every((name) => instances.some((it) => it.name === name && it.state === "healthy")),
    );
  });

  test("it comes back into one machine: writers wait a moment, nothing moves", async (t) => {
    const was = running();
    const writer = new Writer("back/");
    await sleep(500);
    await cluster.keel(["store", "migrate", "--to", "embedded", "--yes"]);
    await sleep(1000);
    await writer.stop(t);
    assert.equal((await status()).kind, "embedded");
    assert.deepEqual(processes(cluster.name, /^\/usr\/bin\/etcd/), [], "no member is left");
    await sleep(8000);
    unlessBusy(t, () => assert.deepEqual(running(), was));
  });
});
