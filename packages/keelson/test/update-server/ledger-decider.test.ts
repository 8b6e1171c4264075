// The whole server but for its administration: HTTP, the ledger, and the log on a real disk.
import { readAsUpdateEngine, readResponse } from "@keelson/omaha";
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { LedgerDecider } from "../../src/update-server/ledger-decider.ts";
import { EntryLog } from "../../src/update-server/log/entry-log.ts";
import { UpdateEndpoint } from "../../src/update-server/update-endpoint.ts";
import { configuration, machineId, open } from "../update-policy/fleet-under-test.ts";
import type { World } from "../update-policy/fleet-under-test.ts";

async function scratch(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "keelson-updates-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

interface Server extends AsyncDisposable {
  readonly decider: LedgerDecider;
  readonly log: EntryLog;
  /** What a machine is told: the version, or noupdate. */
  readonly ask: (
    machine: number,
    more?: { readonly version?: string; readonly event?: string },
  ) => Promise<string>;
  readonly url: string;
}

async function server(path: string, world: World): Promise<Server> {
  const decider = new LedgerDecider({
    configuration: configuration(world),
    payloads: "http://u.example/v1/payloads",
  });
  const log = await EntryLog.open({ path, folds: [decider], segmentBytes: 64 << 10 });
  const endpoint = new UpdateEndpoint({ decider, entries: log, clock: systemClock, log: silentLog });
  const url = `http://127.0.0.1:${await endpoint.listen(0, "127.0.0.1")}/v1/update/`;
  const ask: Server["ask"] = async (machine, { version = "1.0.0", event = "" } = {}) => {
    const body = `<request protocol="3.0"><app appid="com.example.system" version="${version}" track="prod" machineid="${machineId(machine)}" board="amd64-usr"><updatecheck></updatecheck>${event}</app></request>`;
    const response = readResponse(await (await fetch(url, { method: "POST", body })).text());
    const reading = readAsUpdateEngine(response);
    assert.notEqual(reading.outcome, "invalid");
    return response.apps[0]?.updateCheck?.manifests[0]?.version ?? reading.outcome;
  };
  return {
    decider,
    log,
    ask,
    url,
    async [Symbol.asyncDispose]() {
      await endpoint[Symbol.asyncDispose]();
      await log[Symbol.asyncDispose]();
    },
  };
}

const ten: World = { policy: { ...open, atOnce: 10 } };

describe("the update server", () => {
  test("lets exactly ten of a crowd update, and the same ones after a start anew", async () => {
    await using folder = await scratch();
    const crowd = Array.from({ length: 300 }, (_, machine) => machine);
    let granted: readonly number[];
    let before: readonly string[];
    {
      await using it = await server(folder.path, ten);
      const answers = await Promise.all(crowd.map((machine) => it.ask(machine)));
      granted = crowd.filter((machine) => answers[machine] === "2.0.0");
      assert.equal(granted.length, 10);
      assert.equal(answers.filter((answer) => answer === "noupdate").length, 290);
      before = [...it.decider.ledger.snapshot()];
    }
    {
      await using it = await server(folder.path, ten);
      assert.deepEqual([...it.decider.ledger.snapshot()], before);
      const answers = await Promise.all(crowd.map((machine) => it.ask(machine)));
      assert.deepEqual(
        crowd.filter((machine) => answers[machine] === "2.0.0"),
        granted,
      );
      await it.log.snapshot();
      before = [...it.decider.ledger.snapshot()];
    }
    await using it = await server(folder.path, ten);
    assert.deepEqual([...it.decider.ledger.snapshot()], before);
  });

  test("a snapshot taken while machines ask is what a start goes on from", async () => {
    await using folder = await scratch();
    let before: readonly string[];
    {
      await using it = await server(folder.path, ten);
      const crowd = Array.from({ length: 200 }, (_, machine) => machine);
      const asked = crowd.map((machine) => it.ask(machine));
      await asked[20];
      const taken = it.log.snapshot();
      await Promise.all([taken, ...asked]);
      await it.ask(1000);
      before = [...it.decider.ledger.snapshot()];
    }
    await using it = await server(folder.path, ten);
    assert.deepEqual([...it.decider.ledger.snapshot()], before);
  });

  test("a machine goes the whole way, and frees its slot", async () => {
    await using folder = await scratch();
    await using it = await server(folder.path, { policy: { ...open, atOnce: 1 } });
    assert.equal(await it.ask(1), "2.0.0");
    assert.equal(await it.ask(2), "noupdate");
    for (const event of [
      `eventtype="13" eventresult="1"`,
      `eventtype="14" eventresult="1"`,
      `eventtype="3" eventresult="1"`,
    ])
      await it.ask(1, { event: `<event ${event}></event>` });
    assert.equal(await it.ask(2), "noupdate");
    const done = `<event eventtype="3" eventresult="2" previousversion="1.0.0"></event>`;
    assert.equal(await it.ask(1, { version: "2.0.0", event: done }), "noupdate");
    assert.equal(await it.ask(2), "2.0.0");
  });

  test("a decision that breaks off keeps what it had changed, and gives nothing", async () => {
    await using folder = await scratch();
    let before: readonly string[];
    {
      await using it = await server(folder.path, { policy: open });
      assert.equal(await it.ask(1), "2.0.0");
      const broken = configuration({ policy: open });
      broken.package = () => {
        throw new Error("this package is too much");
      };
      it.decider.configure(broken);
      const installed = `<event eventtype="3" eventresult="1"></event>`;
      assert.equal(await it.ask(1, { event: installed }), "noupdate");
      assert.equal(await it.ask(2), "noupdate");
      before = [...it.decider.ledger.snapshot()];
      assert.equal(it.decider.ledger.state.group("com.example.system", "prod")?.machines, 1);
    }
    await using it = await server(folder.path, { policy: open });
    assert.deepEqual([...it.decider.ledger.snapshot()], before);
    const fleet = it.decider.ledger.state.fleets.get("com.example.system");
    assert.equal(fleet?.state(fleet.row(machineId(1)) ?? -1), "installed");
    it.decider.configure(configuration({ policy: open }));
    assert.equal(await it.ask(2), "2.0.0");
  });

  test("a grant that ran out is freed although nobody asks, also for the next start", async () => {
    await using folder = await scratch();
    const one: World = { policy: { ...open, atOnce: 1, grantSeconds: 3600 } };
    let before: readonly string[];
    {
      await using it = await server(folder.path, one);
      assert.equal(await it.ask(1), "2.0.0");
      const now = Date.now();
      assert.deepEqual(it.decider.sweep(now), []);
      await it.log.append(it.decider.kind, it.decider.sweep(now + 3_700_000));
      assert.equal(it.decider.ledger.state.group("com.example.system", "prod")?.taken, 0);
      before = [...it.decider.ledger.snapshot()];
    }
    await using it = await server(folder.path, one);
    assert.deepEqual([...it.decider.ledger.snapshot()], before);
    assert.equal(await it.ask(2), "2.0.0");
  });

  test("an answer names our own payloads, as update_engine wants it", async () => {
    await using folder = await scratch();
    await using it = await server(folder.path, { policy: open });
    const body = `<request protocol="3.0"><app appid="{com.example.system}" version="1.0.0" track="prod" machineid="m1"><updatecheck></updatecheck></app></request>`;
    const response = await fetch(it.url, { method: "POST", body });
    const [app] = readResponse(await response.text()).apps;
    assert.equal(app?.id, "{com.example.system}");
    assert.deepEqual(app.updateCheck?.urls, [
      { codebase: `http://u.example/v1/payloads/${"ab".repeat(32)}/` },
    ]);
    assert.equal(
      app.updateCheck?.manifests[0]?.actions[0]?.sha256,
      Buffer.from("ab".repeat(32), "hex").toString("base64"),
    );
  });
});
