// Random trouble and random wishes, from a seed: what is done to machines, to their ways to the store, to daemons and
// clocks, and what people ask for meanwhile.
import { KeelError } from "../../packages/keelson/src/base/errors.ts";
import { type Random, seededRandom } from "../../packages/keelson/src/base/random.ts";
import type { Intent } from "../../packages/keelson/src/model/operation.ts";
import { clusterName, SimulatedCluster } from "./simulated-cluster.ts";

const zones: Readonly<Record<string, string>> = { m1: "a", m2: "a", m3: "b", m4: "b", m5: "c" };
const machineNames = Object.keys(zones);
const constraints = [
  "",
  "",
  "",
  "MachineMetadata=zone=b",
  "Conflicts=a.service",
  "MachineOf=b.service",
  "MachineID=m5",
  "AfterUnit=a.service",
  "RequiresUnit=b.service",
  "MemoryRequest=2500M",
  "MemoryRequest=3G\nPriority=5\nPreempt=yes",
];

/** What stays the same of a unit: one that becomes a singleton while a machine is away may still run there. */
const natures: Readonly<Record<string, string>> = {
  "a.service": "",
  "b.service": "",
  "c.service": "",
  "d.service": "[X-Keelson]\nMaxSurge=1\nHealthTCP=:1\nHealthInterval=2",
  "e.service": "Global=yes",
  "f.service": "[X-Keelson]\nOnPartition=keep\nHealthTCP=:1\nHealthInterval=2\nHealthRetries=1",
  "web@.service": "[X-Keelson]\nSpreadOver=zone\nMaxSurge=1",
};
const unitNames = Object.keys(natures);
const jobNames = ["once.service", "flaky.service"];
const jobBodies: Readonly<Record<string, string>> = {
  "once.service": "ExecStart=/bin/sleep 3",
  "flaky.service": "ExecStart=/bin/flaky fails 2 times\n[X-Keelson]\nRetries=3\nRetryDelay=2",
};

/** A version that cannot run is taken back before the calm is over. */
const pace = "UpdateHealthyFor=1\nUpdateTimeout=20";

const roundMs = 90_000;
const calmMs = 90_000;
/** The longest that a wall clock is set wrong. */
const wrongMs = 3 * 3_600_000;

export class Storm implements AsyncDisposable {
  readonly cluster: SimulatedCluster;
  readonly #random: Random;

  constructor(seed: number) {
    this.cluster = new SimulatedCluster(seed, { turbulent: true });
    this.#random = seededRandom(seed);
  }

  async begin(): Promise<void> {
    const { cluster } = this;
    for (const name of machineNames) await cluster.add(name, { zone: zones[name] ?? "" });
    await cluster.run(1000);
    const files = [this.#file("web@.service", "0")];
    await this.#ask({ kind: "submit", files, desired: "inactive", replace: false });
    await this.#ask({ kind: "scale", unit: "web@", replicas: 4 });
  }

  async rage(): Promise<void> {
    const { cluster } = this;
    const end = cluster.clock.now() + roundMs;
    while (cluster.clock.now() < end) {
      if (this.#random.next() < 0.4) await this.#ask(this.#wish());
      else await this.#strike();
      await cluster.run(Math.round(100 + this.#random.next() ** 2 * 4000));
    }
  }

  /** All is mended, and time passes. */
  async calm(): Promise<void> {
    const { cluster } = this;
    if (!cluster.store.isRunning) cluster.store.start();
    for (const machine of cluster.machines.values()) {
      machine.heal();
      machine.slow(0);
      machine.clock.jumpWall(-machine.clock.wrongMs);
      if (machine.state === "frozen") cluster.thaw(machine.name);
      if (machine.state === "off") await machine.start();
      else if (!machine.hasDaemon) await machine.startDaemon();
    }
    for (const unit of unitNames) cluster.ail(unit, undefined);
    this.#say("the storm is over");
    await cluster.run(calmMs);
  }

  /** Everything goes, and the time for undoing is over. */
  async end(): Promise<void> {
    await this.#ask({ kind: "destroy", units: { all: true } });
    await this.cluster.run(20_000);
    await this.#ask({ kind: "purge" });
    // What pointed to files is looked for once a minute, and a file is taken away a minute later.
    await this.cluster.run(200_000);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cluster[Symbol.asyncDispose]();
  }

  async #strike(): Promise<void> {
    const { cluster } = this;
    // The leader is struck more often than others.
    const name =
      this.#random.next() < 0.15 && cluster.leader !== "" ? cluster.leader : this.#pick(machineNames);
    const machine = cluster.machine(name);
    if (this.#random.next() < 0.1) {
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
    } else if (machine.isCut || machine.slowMs > 0) {
      this.#say(`heal ${name}`);
      machine.heal();
      machine.slow(0);
    } else {
      await this.#hurt(name);
    }
  }

  async #hurt(name: string): Promise<void> {
    const machine = this.cluster.machine(name);
    const what = this.#pick([
      "crash",
      "cut",
      "cut",
      "mute",
      "deaf",
      "slow",
      "freeze",
      "kill-keeld",
      "stop-keeld",
      "jump",
      "fail",
      "ail",
      "recover",
    ] as const);
    const unit = this.#pick(unitNames);
    const isOfUnit = what === "fail" || what === "ail" || what === "recover";
    if (what !== "slow" && what !== "jump") this.#say(`${what} ${isOfUnit ? unit : name}`);
    switch (what) {
      case "crash":
        return machine.losePower();
      case "cut":
      case "mute":
      case "deaf":
        return machine.cut(what);
      case "freeze":
        return machine.freeze();
      case "kill-keeld":
        return machine.killDaemon();
      case "stop-keeld":
        return machine.stopDaemon();
      case "fail":
        return machine.host.end(unit);
      case "ail":
        return this.cluster.ail(unit, "TCP :1: connection refused");
      case "recover":
        return this.cluster.ail(unit, undefined);
      case "slow": {
        const ms = Math.round(100 + 900 * this.#random.next());
        this.#say(`slow ${name} by ${ms} ms`);
        return machine.slow(ms);
      }
      case "jump": {
        const ms = Math.round((this.#random.next() < 0.5 ? -1 : 1) * wrongMs * this.#random.next() ** 3);
        this.#say(`jump ${name} by ${Math.round(ms / 1000)} s`);
        return machine.clock.jumpWall(ms);
      }
    }
  }

  #wish(): Intent {
    const names = [this.#pick([...unitNames, ...jobNames])];
    const units = { names };
    const machine = this.#pick(machineNames);
    const unit = "web@";
    const kind = this.#pick([
      "submit",
      "submit",
      "submit",
      "submit",
      "job",
      "start",
      "stop",
      "unload",
      "restart",
      "destroy",
      "scale",
      "undo",
      "drain",
      "cordon",
      "uncordon",
      "uncordon",
      "rollout",
      "rollback",
      "metadata",
      "rebalance",
    ] as const);
    switch (kind) {
      case "submit": {
        const version = `${Math.floor(this.#random.next() * 3)}`;
        const files = [this.#file(this.#pick(unitNames), version)];
        return { kind, files, desired: "launched", replace: true };
      }
      case "job":
        return { kind: "submit", files: [job(this.#pick(jobNames))], desired: "launched", replace: true };
      case "start":
        return { kind: "set-desired", units, desired: "launched" };
      case "stop":
        return { kind: "set-desired", units, desired: "loaded" };
      case "unload":
        return { kind: "set-desired", units, desired: "inactive" };
      case "restart":
      case "destroy":
        return { kind, units };
      case "scale":
        return { kind, unit, replicas: Math.floor(this.#random.next() * 7) };
      case "undo":
        return { kind };
      case "drain":
        return { kind, machine, reason: "", ...(this.#random.next() < 0.5 && { deadlineSeconds: 10 }) };
      case "cordon":
        return { kind, machine, cordoned: true };
      case "uncordon":
        return { kind: "cordon", machine, cordoned: false };
      case "rollout":
        return { kind, unit, action: this.#pick(["pause", "resume", "abort"]) };
      case "rollback":
        return { kind, unit };
      case "rebalance":
        return { kind, most: 10 };
      case "metadata":
        return { kind: "set-metadata", machine, metadata: { zone: this.#pick(["a", "b", "c"]) } };
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

  #file(name: string, version: string): { name: string; body: string } {
    const nature = natures[name] ?? "";
    const constraint = nature === "" ? this.#pick(constraints) : "";
    const section = /Unit=|Request=/.test(constraint) ? "X-Keelson" : "X-Fleet";
    const rules = nature.startsWith("[") ? nature : `[${section}]\n${nature}${constraint}`;
    const text = `# version ${version}\n[Service]\nExecStart=/bin/sleep infinity\n${rules}\n[X-Keelson]\n${pace}\n`;
    return fileOf(name, text);
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.#random.next() * choices.length)] as T;
  }

  #say(text: string): void {
    this.cluster.events.push({ atMs: this.cluster.clock.now(), text: `> ${text}` });
  }
}

const fileOf = (name: string, text: string): { name: string; body: string } => ({
  name,
  body: Buffer.from(text).toString("base64"),
});

const job = (name: string): { name: string; body: string } =>
  fileOf(name, `[Service]\nType=oneshot\n${jobBodies[name] ?? ""}\n`);
