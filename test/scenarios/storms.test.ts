// Machines crash, freeze, are cut off; daemons and the store come and go; people change what they want. All of it
// by a seed. At no moment may a unit run twice, and when the storm is over everything is as it was asked for.
// KEELSON_SEED=N replays one storm, KEELSON_STORMS=N plays so many.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KeelError } from "../../packages/keelson/src/base/errors.ts";
import { type Random, seededRandom } from "../../packages/keelson/src/base/random.ts";
import { allInstances } from "../../packages/keelson/src/model/instances.ts";
import type { Intent } from "../../packages/keelson/src/model/operation.ts";
import { clusterName, SimulatedCluster } from "./simulated-cluster.ts";

const machineNames = ["m1", "m2", "m3", "m4", "m5"];
const zones: Readonly<Record<string, string>> = { m1: "a", m2: "a", m3: "b", m4: "b", m5: "c" };
const unitNames = ["a", "b", "c", "d", "e"].map((letter) => `${letter}.service`);
const constraints = [
  "",
  "",
  "",
  "MachineMetadata=zone=b",
  "Conflicts=a.service",
  "MachineOf=b.service",
  "MachineID=m5",
];
const stormMs = 90_000;

class Storm {
  readonly cluster: SimulatedCluster;
  readonly said: string[] = [];
  readonly #random: Random;

  constructor(seed: number) {
    this.cluster = new SimulatedCluster(seed);
    this.#random = seededRandom(seed);
  }

  async rage(): Promise<void> {
    const { cluster } = this;
    for (const name of machineNames) await cluster.add(name, { zone: zones[name] ?? "" });
    await cluster.run(1000);
    await this.#ask({
      kind: "submit",
      files: [file("web@.service", "", "0")],
      desired: "inactive",
      replace: false,
    });
    await this.#ask({ kind: "scale", unit: "web@", replicas: 4 });
    while (cluster.clock.now() < stormMs) {
      await this.#strike();
      await cluster.run(Math.round(100 + this.#random.next() ** 2 * 4000));
    }
  }

  async calm(): Promise<void> {
    const { cluster } = this;
    if (!cluster.store.isRunning) cluster.store.start();
    for (const machine of cluster.machines.values()) {
      if (machine.state === "frozen") cluster.thaw(machine.name);
      machine.heal();
      if (machine.state === "off") await machine.start();
      else if (!machine.hasDaemon) await machine.startDaemon();
    }
    this.#say("the storm is over");
    await cluster.run(90_000);
  }

  /** Everything runs that should and can, once and up to date, and nothing else; the store says the same. */
  check(): void {
    const { cluster } = this;
    const { snapshot } = cluster;
    assert.deepEqual([...snapshot.alarms], []);
    assert.equal([...cluster.machines.values()].filter(({ isLeading }) => isLeading).length, 1);
    const wanted = allInstances(snapshot.units);
    for (const { name, desired, unit } of wanted.values()) {
      const on = cluster.where(name);
      if (desired !== "launched") {
        assert.deepEqual(on, [], `${name} runs and is ${desired}`);
        continue;
      }
      const [reasons] = cluster.why(name);
      if (on.length === 0) {
        const fitting = reasons?.machines.filter(({ fits }) => fits) ?? [];
        const words = reasons?.machines.map((it) => `${it.name} ${it.reasons.join(", ")}`).join("; ");
        assert.match(reasons?.waitsFor ?? "", /^no machine fits/, `${name} does not run: ${words}`);
        assert.deepEqual(fitting, [], `${name} does not run and would fit`);
        continue;
      }
      for (const machine of on) {
        const status = snapshot.statuses.get(cluster.machine(machine).host.machineId)?.get(name);
        assert.equal(status?.active, "active", `${name} on ${machine}`);
        assert.equal(status.hash, unit.hash, `${name} on ${machine} runs by an old file`);
        assert.equal(status.restarts, unit.restarts, `${name} on ${machine}`);
      }
    }
    for (const { name, host } of cluster.machines.values()) {
      for (const unit of host.running)
        assert.ok(wanted.has(unit), `${unit} runs on ${name} and nobody wants it`);
    }
  }

  async #strike(): Promise<void> {
    const { cluster } = this;
    const name = this.#pick(machineNames);
    const machine = cluster.machine(name);
    const roll = this.#random.next();
    if (roll < 0.4) return this.#change();
    if (roll < 0.46) {
      this.#say(cluster.store.isRunning ? "stop-store" : "start-store");
      if (cluster.store.isRunning) cluster.store.stop();
      else cluster.store.start();
    } else if (machine.state === "off") {
      this.#say(`power-on ${name}`);
      await machine.start();
    } else if (machine.state === "frozen") {
      this.#say(`thaw ${name}`);
      cluster.thaw(name);
    } else if (!machine.hasDaemon) {
      this.#say(`start-keeld ${name}`);
      await machine.startDaemon();
    } else if (machine.isCut) {
      this.#say(`heal ${name}`);
      machine.heal();
    } else {
      await this.#hurt(name);
    }
  }

  async #hurt(name: string): Promise<void> {
    const machine = this.cluster.machine(name);
    const what = this.#pick(["crash", "cut", "cut", "freeze", "kill-keeld", "stop-keeld"] as const);
    this.#say(`${what} ${name}`);
    if (what === "crash") machine.losePower();
    else if (what === "cut") machine.cut();
    else if (what === "freeze") machine.freeze();
    else if (what === "kill-keeld") machine.killDaemon();
    else await machine.stopDaemon();
  }

  #change(): Promise<void> {
    const names = [this.#pick([...unitNames, "web@.service"])];
    const units = { names };
    const kind = this.#pick([
      "submit",
      "submit",
      "submit",
      "start",
      "stop",
      "unload",
      "restart",
      "destroy",
      "scale",
      "undo",
    ] as const);
    switch (kind) {
      case "submit": {
        const body = file(
          this.#pick(unitNames),
          this.#pick(constraints),
          `${Math.floor(this.#random.next() * 3)}`,
        );
        return this.#ask({ kind, files: [body], desired: "launched", replace: true });
      }
      case "start":
        return this.#ask({ kind: "set-desired", units, desired: "launched" });
      case "stop":
        return this.#ask({ kind: "set-desired", units, desired: "loaded" });
      case "unload":
        return this.#ask({ kind: "set-desired", units, desired: "inactive" });
      case "restart":
      case "destroy":
        return this.#ask({ kind, units });
      case "scale":
        return this.#ask({ kind, unit: "web@", replicas: Math.floor(this.#random.next() * 7) });
      case "undo":
        return this.#ask({ kind });
    }
  }

  /** Refusals are answers too. */
  async #ask(intent: Intent): Promise<void> {
    try {
      const { summary } = await this.cluster.ask(intent, { scope: clusterName, maxImpact: 100 });
      this.#say(summary);
    } catch (error) {
      const isAway = error instanceof Error && "code" in error && error.code === "REFUSED";
      if (!(error instanceof KeelError) && !isAway) throw error;
    }
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.#random.next() * choices.length)] as T;
  }

  #say(text: string): void {
    this.cluster.events.push({ atMs: this.cluster.clock.now(), text: `> ${text}` });
  }
}

/** e.service is always global: a unit that becomes a singleton while a machine is away may still run there. */
function file(name: string, constraint: string, version: string): { name: string; body: string } {
  if (name === "e.service") constraint = "Global=yes";
  const text = `# version ${version}\n[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\n${constraint}\n`;
  return { name, body: Buffer.from(text).toString("base64") };
}

async function weather(seed: number): Promise<void> {
  const storm = new Storm(seed);
  try {
    await storm.rage();
    await storm.calm();
    storm.check();
  } catch (error) {
    const tail = storm.cluster.events
      .slice(-60)
      .map(({ atMs, text }) => `${(atMs / 1000).toFixed(2)} ${text}`);
    throw new Error(`seed ${seed}: ${(error as Error).message}\n${tail.join("\n")}`, { cause: error });
  } finally {
    await storm.cluster[Symbol.asyncDispose]();
  }
}

describe("storms", () => {
  const only = process.env["KEELSON_SEED"];
  const count = Number(process.env["KEELSON_STORMS"] ?? 20);
  const seeds = only === undefined ? Array.from({ length: count }, (_, n) => n + 1) : [Number(only)];
  for (const seed of seeds) test(`seed ${seed}`, () => weather(seed));
});
