// Faults of all kinds on a real cluster, at random from a seed: machines lose power, are frozen and thaw, are cut off;
// daemons die, the leader's among them; the store stands still. Copies are counted from the host meanwhile.
import { type Random, seededRandom } from "../../packages/keelson/src/base/random.ts";
import { type Cluster, keel, processes, runningProbes, sleep } from "./cluster.ts";

/** A machine that thaws stops what it lost as soon as its processes run again; so long it may take. */
const thawGraceMs = 3000;

type Trouble = "off" | "cut" | "frozen";

export interface Overlap {
  readonly unit: string;
  readonly machines: readonly string[];
  /** Since the storm began. */
  readonly atMs: number;
}

export class RandomFaults {
  /** What was done, with the seconds since the beginning. */
  readonly told: string[] = [];
  /** Moments in which a unit ran on two machines that had not thawed just before. */
  readonly overlaps: Overlap[] = [];
  /** Moments in which a unit ran on two machines of which one had thawed just before, by the time since then. */
  readonly afterThaw: number[] = [];
  samples = 0;
  readonly #cluster: Cluster;
  readonly #machines: readonly string[];
  readonly #random: Random;
  readonly #troubles = new Map<string, Trouble>();
  readonly #thawedAt = new Map<string, number>();
  readonly #began = performance.now();
  #frozenStore: readonly number[] = [];

  constructor(cluster: Cluster, machines: readonly string[], seed: number) {
    this.#cluster = cluster;
    this.#machines = machines;
    this.#random = seededRandom(seed);
  }

  /** Rages for so long, mends everything, and returns when the count has ended. */
  async rage(seconds: number): Promise<void> {
    const end = performance.now() + 1000 * seconds;
    const watching = new AbortController();
    const watch = this.#watch(watching.signal);
    try {
      while (performance.now() < end) {
        await this.#strike();
        await sleep(1000 + 7000 * this.#random.next());
      }
    } finally {
      await this.#mend();
      watching.abort();
      await watch;
    }
  }

  /** One machine stands still for so long, and the count goes on a little. */
  async freeze(machine: string, seconds: number): Promise<void> {
    const watching = new AbortController();
    const watch = this.#watch(watching.signal);
    await this.#begin(machine, "frozen");
    await sleep(1000 * seconds);
    await this.#end(machine, "frozen");
    await sleep(thawGraceMs + 2000);
    watching.abort();
    await watch;
  }

  async #strike(): Promise<void> {
    const machine = this.#pick(this.#machines);
    const trouble = this.#troubles.get(machine);
    if (this.#random.next() < 0.15) return this.#toggleStore();
    if (trouble !== undefined) return this.#end(machine, trouble);
    const what = this.#pick(["kill", "cut", "cut", "freeze", "freeze", "keeld", "leader"] as const);
    switch (what) {
      case "kill":
        return this.#begin(machine, "off");
      case "cut":
        return this.#begin(machine, "cut");
      case "freeze":
        return this.#begin(machine, "frozen");
      case "keeld":
        return this.#killDaemon(machine);
      case "leader":
        return this.#killDaemon((await this.#leader()) ?? machine);
    }
  }

  async #begin(machine: string, trouble: Trouble): Promise<void> {
    this.#tell(`${machine} ${trouble}`);
    this.#troubles.set(machine, trouble);
    if (trouble === "frozen") this.#signal(machine, "SIGSTOP");
    else await this.#command(trouble === "off" ? "kill" : "cut", machine);
  }

  async #end(machine: string, trouble: Trouble): Promise<void> {
    this.#tell(`${machine} no longer ${trouble}`);
    if (trouble === "frozen") {
      this.#thawedAt.set(machine, performance.now());
      this.#signal(machine, "SIGCONT");
    } else {
      await this.#command(trouble === "off" ? "start" : "heal", machine);
    }
    this.#troubles.delete(machine);
  }

  /** Nobody says while the store stands still. */
  async #leader(): Promise<string | undefined> {
    if (this.#frozenStore.length > 0) return undefined;
    return (await this.#cluster.snapshot().catch(() => undefined))?.leader?.name ?? undefined;
  }

  /** While the store stands still a command does its part on the machine and then waits in vain for an answer. */
  async #command(verb: "kill" | "cut" | "start" | "heal", machine: string): Promise<void> {
    const { status, stdout, stderr } = await keel([
      "machine",
      verb,
      "--cluster",
      this.#cluster.name,
      machine,
    ]);
    const isUnanswered = status === 9 && this.#frozenStore.length > 0;
    if (status !== 0 && !isUnanswered)
      throw new Error(`keel machine ${verb} ${machine} ended with ${status}\n${stdout}${stderr}`);
  }

  #toggleStore(): void {
    const isFrozen = this.#frozenStore.length > 0;
    this.#tell(isFrozen ? "the store goes on" : "the store stands still");
    if (!isFrozen) this.#frozenStore = this.#daemons((machine) => machine.startsWith("host."));
    for (const pid of this.#frozenStore) process.kill(pid, isFrozen ? "SIGCONT" : "SIGSTOP");
    if (isFrozen) this.#frozenStore = [];
  }

  #killDaemon(machine: string): void {
    this.#tell(`${machine} keeld killed`);
    for (const pid of this.#daemons((one) => one === machine)) process.kill(pid, "SIGKILL");
  }

  async #mend(): Promise<void> {
    if (this.#frozenStore.length > 0) this.#toggleStore();
    for (const [machine, trouble] of this.#troubles) await this.#end(machine, trouble);
  }

  #daemons(of: (machine: string) => boolean): number[] {
    return processes(this.#cluster.name, /keeld\.js/).flatMap(({ pid, machine }) =>
      of(machine) ? [pid] : [],
    );
  }

  /** Every process of the machine, its systemd first. */
  #signal(machine: string, signal: "SIGSTOP" | "SIGCONT"): void {
    for (const one of processes(this.#cluster.name, /./)) {
      if (one.machine !== machine) continue;
      try {
        process.kill(one.pid, signal);
      } catch {
        // It ended meanwhile.
      }
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const seen = Map.groupBy(runningProbes(this.#cluster.name), ({ unit }) => unit);
      for (const [unit, probes] of seen) {
        const awake = probes.filter(({ machine }) => this.#troubles.get(machine) !== "frozen");
        const machines = [...new Set(awake.map(({ machine }) => machine))];
        if (machines.length > 1) this.#overlap(unit, machines);
      }
      this.samples += 1;
      await sleep(50);
    }
  }

  #overlap(unit: string, machines: readonly string[]): void {
    const now = performance.now();
    const sinceThaw = Math.min(
      ...machines.map((machine) => now - (this.#thawedAt.get(machine) ?? -Infinity)),
    );
    if (sinceThaw < thawGraceMs) this.afterThaw.push(sinceThaw);
    else this.overlaps.push({ unit, machines, atMs: now - this.#began });
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.#random.next() * choices.length)] as T;
  }

  #tell(text: string): void {
    this.told.push(`${((performance.now() - this.#began) / 1000).toFixed(1)} ${text}`);
  }
}
