// Restoring a running store: the plan, the swap, and what is there after the daemon was killed at each of its steps.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { EtcdClient } from "@keelson/etcd/client";
import type { KeysStore } from "@keelson/etcd/rest";
import { EtcdServer } from "@keelson/etcd/server";
import { restoreSteps, RunningRestore, settleRestore } from "../../src/backup/running-restore.ts";
import type { RestoreStep } from "../../src/backup/running-restore.ts";
import { settleSwap, swapDirectories, swapSteps } from "../../src/backup/directory-swap.ts";
import { contentsOf, openAlone, revisionOf } from "../../src/backup/store-contents.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { keys } from "../../src/model/keys.ts";
import { scheduleCodec } from "../../src/model/schedule.ts";
import { unitCodec } from "../../src/model/unit.ts";
import { hashBody } from "../../src/registry/body-cache.ts";

const listen = [{ host: "127.0.0.1", port: 0 }];

/** A store as the restore sees it: a server that comes and goes in its directory. */
class Place {
  readonly dataDir: string;
  /** Fails so many of the next starts. */
  failures = 0;
  server: EtcdServer | undefined;

  constructor(dataDir: string) {
    this.dataDir = dataDir;
  }

  get keys() {
    return this.server?.keys;
  }

  async start(): Promise<void> {
    if (this.failures-- > 0) throw new Error("it does not start");
    this.server ??= await EtcdServer.start({ dataDir: this.dataDir, listen });
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    await server?.close();
  }
}

const unit = (name: string, body: string) => ({
  key: keys.unit(name),
  value: unitCodec.encode({
    name,
    desired: "launched",
    hash: hashBody(body),
    replicas: 0,
    restarts: 0,
    generation: 1,
    owner: "",
    created: 1,
    changed: 1,
  }),
});
const order = (name: string, body: string, fence: number): string =>
  scheduleCodec.encode({
    unit: name,
    hash: hashBody(body),
    desired: "launched",
    restarts: 0,
    onPartition: "stop",
    companion: false,
    fence,
    placed: 1,
    because: "",
  });

async function allOf(store: KeysStore) {
  const revision = await revisionOf(store);
  const stored = await Array.fromAsync(contentsOf(store, revision));
  return { revision, keys: new Map(stored.map((one) => [one.key, one])) };
}

describe("a restore of the running store", () => {
  let folder = "";
  let file = "";
  /** A directory as it is at the time of the restore. */
  let present = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keel-restore-"));
    file = join(folder, "b.db");
    present = join(folder, "present");
    await using place = await EtcdServer.start({ dataDir: present, listen });
    await using client = new EtcdClient({ endpoints: [`http://127.0.0.1:${place.addresses[0]?.port}`] });
    const put = async (name: string, body: string): Promise<void> => {
      const { key, value } = unit(name, body);
      await client.put(keys.body(hashBody(body)), body);
      await client.put(key, value);
    };
    const machineLease = (await client.grantLease(600, 0x11n)).id;
    const leaderLease = (await client.grantLease(600, 0x12n)).id;
    await client.put(keys.machine("m1"), "registered", { lease: machineLease });
    await client.put("/keelson/leader/12", "m1", { lease: leaderLease });
    await put("stays.service", "a");
    await put("changes.service", "b1");
    await put("lost.service", "c");
    await client.put(keys.schedule("m1", "stays.service"), order("stays.service", "a", 5));
    await client.put(keys.status("m1", "stays.service"), "old words", { lease: machineLease });
    await client.put("other", "then");
    await client.put("deleted", "then");
    const pieces: Uint8Array[] = [];
    for await (const piece of client.snapshot({})) pieces.push(piece);
    await writeFile(file, Buffer.concat(pieces));

    await client.delete({ key: keys.unit("lost.service") });
    await put("changes.service", "b2");
    await put("new.service", "d");
    await client.delete({ key: keys.schedule("m1", "stays.service") });
    await client.put(keys.schedule("m2", "stays.service"), order("stays.service", "a", 9));
    await client.put(keys.schedule("m2", "changes.service"), order("changes.service", "b2", 9));
    await client.grantLease(700, 0x21n);
    await client.put(keys.machine("m2"), "registered", { lease: 0x21n });
    await client.put(keys.status("m1", "stays.service"), "new words", { lease: machineLease });
    await client.put("other", "now");
    await client.delete({ key: "deleted" });
  });
  after(() => rm(folder, { recursive: true }));

  const copyOf = async (name: string): Promise<string> => {
    await cp(present, join(folder, name), { recursive: true });
    return join(folder, name);
  };
  const pieces = async function* (path = file): AsyncGenerator<Uint8Array> {
    yield await readFile(path);
  };
  const open = async (name: string, answers: () => Promise<void> = () => Promise.resolve()) => {
    const place = new Place(await copyOf(name));
    await place.start();
    const around = { clock: systemClock, random: systemRandom, log: silentLog };
    return { place, restore: new RunningRestore({ place, answers, ...around }) };
  };
  const valuesOf = async (dataDir: string): Promise<ReadonlyMap<string, string>> => {
    await using server = await openAlone(dataDir);
    const { keys: stored } = await allOf(server.keys);
    return new Map([...stored].map(([key, { value }]) => [key, Buffer.from(value).toString()]));
  };

  test("says what will differ, restores that, and leaves what the machines do as it is", async () => {
    const { place, restore } = await open("whole");
    const plan = await restore.plan(pieces());
    assert.deepEqual(plan.units, {
      appear: ["lost.service"],
      vanish: ["new.service"],
      change: ["changes.service"],
    });
    // Of files, `b2` and `d` are the store's only.
    assert.deepEqual(plan.keys, { added: 2, changed: 2, gone: 3 });
    assert.ok(plan.store.revision > plan.backup.revision);
    const words: string[] = [];
    const { keptAs } = await restore.carryOut(plan.id, (step) => words.push(step));
    assert.equal(keptAs, plan.keptAs);
    assert.equal(words.length, 4);

    const store = place.keys;
    assert.ok(store);
    const { keys: stored, revision } = await allOf(store);
    assert.ok(revision > plan.backup.revision);
    const text = (key: string) => stored.get(key) && Buffer.from(stored.get(key)?.value ?? []).toString();
    assert.equal(text("other"), "then");
    assert.equal(text("deleted"), "then");
    assert.equal(text(keys.unit("lost.service")), unit("lost.service", "c").value);
    assert.equal(text(keys.unit("changes.service")), unit("changes.service", "b1").value);
    assert.equal(text(keys.unit("new.service")), undefined);
    assert.equal(text(keys.schedule("m1", "stays.service")), undefined, "it runs elsewhere by now");
    assert.equal(text(keys.schedule("m2", "stays.service")), order("stays.service", "a", 9));
    assert.equal(text(keys.body(hashBody("b2"))), "b2", "a machine runs by it");
    assert.equal(text(keys.status("m1", "stays.service")), "new words");
    assert.equal(stored.get(keys.machine("m1"))?.lease, 0x11n);
    assert.equal(stored.get(keys.machine("m2"))?.lease, 0x21n);
    assert.equal((await store.lease(0x21n))?.grantedSeconds, 700);
    assert.equal(text("/keelson/leader/12"), undefined, "nobody leads before the election");
    assert.equal(await store.lease(0x12n), undefined);
    await place.stop();
    assert.equal((await valuesOf(keptAs)).get("other"), "now");
    const left = (await readdir(folder)).filter((name) => name.startsWith("whole"));
    assert.deepEqual(left.toSorted(), ["whole", keptAs.slice(folder.length + 1)]);
  });

  test("a file that is damaged, or of no cluster, is refused, and leaves nothing behind", async () => {
    const { place, restore } = await open("refused");
    const bytes = await readFile(file);
    bytes[5000] = (bytes[5000] ?? 0) ^ 1;
    for (const damaged of [bytes, bytes.subarray(0, 7000), Buffer.alloc(0), Buffer.from("no store at all")]) {
      const given = (async function* () {
        yield damaged;
      })();
      await assert.rejects(restore.plan(given), { code: "KEEL-721" });
    }
    const foreign = join(folder, "foreign.db");
    {
      await using server = await EtcdServer.start({ dataDir: join(folder, "foreign"), listen });
      await using client = new EtcdClient({ endpoints: [`http://127.0.0.1:${server.addresses[0]?.port}`] });
      await client.put("k", "v");
      const save = async (): Promise<void> => {
        const all: Uint8Array[] = [];
        for await (const piece of client.snapshot({})) all.push(piece);
        await writeFile(foreign, Buffer.concat(all));
      };
      await save();
      await assert.rejects(restore.plan(pieces(foreign)), { code: "KEEL-724", message: /no cluster/ });
      await client.put(keys.unit("u.service"), '{"name":"u.service","of":"another version"}');
      await save();
      await assert.rejects(restore.plan(pieces(foreign)), { code: "KEEL-724", message: /another version/ });
    }
    const broken = (async function* () {
      yield await readFile(file);
      throw new Error("the sender went away");
    })();
    await assert.rejects(restore.plan(broken));
    const plan = await restore.plan(pieces());
    await restore.drop();
    await assert.rejects(
      restore.carryOut(plan.id, () => undefined),
      { code: "KEEL-403" },
    );
    assert.ok(place.server, "the store was not touched");
    await place.stop();
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith("refused")),
      ["refused"],
    );
  });

  test("a restored store that does not start, or does not answer, is taken back", async () => {
    for (const failing of ["start", "answer"]) {
      const answers = (): Promise<void> => Promise.reject(new Error("nobody answers"));
      const { place, restore } = await open(`back-${failing}`, failing === "answer" ? answers : undefined);
      const plan = await restore.plan(pieces());
      place.failures = failing === "start" ? 1 : 0;
      await assert.rejects(
        restore.carryOut(plan.id, () => undefined),
        { code: "KEEL-725" },
      );
      assert.ok(place.keys, "the store that was goes on");
      const { keys: stored } = await allOf(place.keys);
      assert.equal(Buffer.from(stored.get("other")?.value ?? []).toString(), "now");
      await place.stop();
      const left = (await readdir(folder)).filter((name) => name.startsWith(`back-${failing}`));
      assert.deepEqual(left, [`back-${failing}`]);
    }
  });

  test("killed at any step, there is the old store or the new one", async () => {
    const steps = [...restoreSteps, ...swapSteps];
    await Promise.all(steps.map((step) => killedAt(step)));
  });

  const killedAt = async (step: RestoreStep): Promise<void> => {
    const name = `killed-${step.replace(" ", "-")}`;
    const dataDir = await copyOf(name);
    const program = join(import.meta.dirname, "killed-restore.ts");
    const child = spawn(process.execPath, [program, dataDir, file, step], { stdio: "ignore" });
    const [, signal] = (await once(child, "exit")) as [number | null, string | null];
    assert.equal(signal, "SIGKILL", step);
    const outcome = await settleRestore(dataDir);
    const values = await valuesOf(dataDir);
    const isNew = ["put aside", "in place", "done"].includes(step);
    assert.equal(values.get("other"), isNew ? "then" : "now", step);
    assert.equal(values.has(keys.unit("new.service")), !isNew, step);
    const wasBroken = ["noted", "put aside", "in place"].includes(step);
    assert.equal(outcome, wasBroken ? (isNew ? "new" : "old") : undefined, step);
    assert.equal(await settleRestore(dataDir), undefined, "it is settled once");
    const [kept] = (await readdir(folder)).filter((entry) => entry.startsWith(`${name}.`));
    assert.equal(kept !== undefined, isNew, `${step}: the old one is kept beside the new one`);
    if (kept !== undefined) assert.equal((await valuesOf(join(folder, kept))).get("other"), "now");
  };

  test("a directory that cannot be replaced stays", async () => {
    const place = await copyOf("stays");
    const kept = join(folder, "stays-kept");
    await assert.rejects(swapDirectories({ place, incoming: join(folder, "nowhere"), kept }), {
      code: "KEEL-703",
    });
    assert.ok(existsSync(place) && !existsSync(kept));
    assert.equal(await settleSwap(place), undefined);
    await writeFile(`${place}.swap`, "garbage");
    await assert.rejects(settleSwap(place), { code: "KEEL-703" });
  });
});
