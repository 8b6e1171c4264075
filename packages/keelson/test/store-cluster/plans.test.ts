import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { KeelError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Machine, Member } from "../../src/model/machine.ts";
import { memberOrderCodec } from "../../src/model/store.ts";
import type { MemberOrder } from "../../src/model/store.ts";
import { planGrowth } from "../../src/store-cluster/growth-plan.ts";
import { LocationFile } from "../../src/store-cluster/location-file.ts";
import { memberNameIn, memberSettings } from "../../src/store-cluster/member-settings.ts";
import { MoveRun } from "../../src/store-cluster/move-run.ts";
import { rememberMove, unfinishedMove } from "../../src/store-cluster/move-memory.ts";
import { machineId, machineRecord } from "../registry/records.ts";

const order: MemberOrder = {
  machine: machineId(1),
  name: "m1-a",
  wanted: "run",
  clientUrl: "https://10.0.0.1:2379",
  peerUrl: "https://10.0.0.1:2380",
  bootstrap: { discovery: "http://10.0.0.9:4000/abc" },
  quotaBytes: 1 << 30,
};
const location = {
  epoch: 1,
  kind: "etcd" as const,
  endpoints: ["https://10.0.0.1:2379"],
  size: 1,
  authority: "",
  clusterId: "1",
  since: 1,
};

describe("plan of a growth", () => {
  const machines = new Map(
    [1, 2, 3, 4].map((n): [string, Machine] => {
      const since = 1;
      return [machineId(n), { ...machineRecord(n), since, metadata: { zone: n < 3 ? "a" : "b" } }];
    }),
  );
  const members = new Map(
    [...machines.values()].map(({ id, name, address, apiPort }): [string, Member] => [
      id,
      { id, name, address, apiPort, joined: 1 },
    ]),
  );
  const version = machineRecord(1).keeldVersion;
  const facts = { snapshot: { machines, members }, size: 3, location: undefined, holdsStore: true, version };

  test("it takes machines of different zones and has nothing against it", () => {
    const plan = planGrowth(facts);
    assert.deepEqual(plan.refusals, []);
    assert.equal(plan.machines.length, 3);
    assert.equal(new Set(plan.machines.map(({ zone }) => zone)).size, 2);
    assert.equal(plan.steps.length, 5);
  });

  test("it names each thing that stands in its way", () => {
    const refusalsOf = (over: object): string => planGrowth({ ...facts, ...over }).refusals.join("\n");
    assert.match(refusalsOf({ size: 2 }), /an even number bears no more losses/);
    assert.match(refusalsOf({ size: 5 }), /5 members need 5 machines, and 4 are up/);
    assert.match(refusalsOf({ location }), /a cluster already/);
    assert.match(refusalsOf({ holdsStore: false }), /does not run the embedded store/);
    assert.match(refusalsOf({ version: "9.9.9" }), /bring them to the same version/);
    const fewer = new Map([...machines].slice(1));
    assert.match(refusalsOf({ snapshot: { machines: fewer, members } }), /is away and could not follow/);
  });
});

describe("settings of a member", () => {
  const files = { dataDir: "/var/lib/x", certificate: "/c", key: "/k", authority: "/a" };

  test("they ask every client and every peer for a certificate", () => {
    const text = memberSettings(order, files);
    assert.match(text, /^ETCD_CLIENT_CERT_AUTH=true$/m);
    assert.match(text, /^ETCD_PEER_CLIENT_CERT_AUTH=true$/m);
    assert.doesNotMatch(text, /http:\/\/10\.0\.0\.1/);
    assert.match(text, /^ETCD_DISCOVERY=http:\/\/10\.0\.0\.9:4000\/abc$/m);
    assert.equal(memberNameIn(text), "m1-a");
    assert.equal(memberNameIn(undefined), "");
  });

  test("one that joins names the others", () => {
    const text = memberSettings(
      { ...order, bootstrap: { join: "a=https://1:2380,b=https://2:2380" } },
      files,
    );
    assert.match(text, /^ETCD_INITIAL_CLUSTER=a=https:\/\/1:2380,b=https:\/\/2:2380$/m);
    assert.match(text, /^ETCD_INITIAL_CLUSTER_STATE=existing$/m);
  });

  test("an order that would write other lines into the file is refused", () => {
    for (const over of [
      { name: "m1\nETCD_X=1" },
      { bootstrap: { join: "a b" } },
      { clientUrl: "https://10.0.0.1:2379,https://8.8.8.8:1" },
    ]) {
      const text = Buffer.from(JSON.stringify({ ...order, ...over }));
      assert.throws(() => memberOrderCodec.decode("k", text), { code: "KEEL-402" });
    }
  });
});

describe("what a keeld remembers of the store", () => {
  test("a damaged location is as good as none", async () => {
    const folder = await mkdtemp(join(tmpdir(), "keelson-location-"));
    const path = join(folder, "store", "location.json");
    const file = await LocationFile.open(path, silentLog);
    assert.equal(file.location, undefined);
    await file.write(location);
    assert.deepEqual((await LocationFile.open(path, silentLog)).location, location);
    await writeFile(path, '{"epoch":');
    assert.equal((await LocationFile.open(path, silentLog)).location, undefined);
    await rm(folder, { recursive: true });
  });

  test("a move without a journal has sealed nothing, and is forgotten", async () => {
    const folder = await mkdtemp(join(tmpdir(), "keelson-move-"));
    const { journal } = await rememberMove(folder, { from: ["http://10.0.0.1:1"], location });
    await writeFile(journal, "");
    const move = await unfinishedMove(folder);
    assert.deepEqual(move, { from: ["http://10.0.0.1:1"], location, journal });
    await rm(journal);
    assert.equal(await unfinishedMove(folder), undefined);
    await rm(folder, { recursive: true });
  });
});

describe("a move under way", () => {
  test("whoever looks on sees every line, the last one done", async () => {
    const run = new MoveRun(new SimulatedClock());
    const signal = new AbortController();
    const reading = (async () => {
      const words: string[] = [];
      for (let index = 0; ; index++) {
        const line = await run.line(index, signal.signal);
        if (line === undefined) return words;
        words.push(`${line.words}${line.done ? "." : ""}`);
      }
    })();
    run.tell("one");
    run.tell("one");
    await Promise.resolve();
    run.tell("two");
    run.succeed("three", 5);
    run.tell("late");
    assert.deepEqual(await reading, ["one", "two", "three."]);
    assert.equal(run.isDone, true);
    const failed = new MoveRun(new SimulatedClock());
    const waiting = failed.line(0, signal.signal);
    failed.fail(new KeelError("KEEL-413", "why"));
    assert.equal((await waiting)?.error?.code, "KEEL-413");
    const endless = new MoveRun(new SimulatedClock()).line(0, signal.signal);
    signal.abort(new Error("gone"));
    await assert.rejects(endless, /gone/);
  });
});
