// A machine in memory, on a clock that a scenario moves: units that start, run, fail and stop, the files and
// notes that survive the daemon, and the fence, which acts whether a daemon lives or not.
import { createHash } from "node:crypto";
import type { Clock, Timer } from "../../src/base/clock.ts";
import { KeelError } from "../../src/base/errors.ts";
import type {
  ContainerFacts,
  FenceOrder,
  Host,
  HostFacts,
  ImageArchive,
  JobOutcome,
  UnitAction,
  UnitNote,
  UnitState,
  WrittenUnit,
} from "../../src/host/host.ts";

/** How a unit behaves; by default it starts in 40 ms, runs for ever and stops in 20 ms. */
export interface Behaviour {
  readonly startMs?: number;
  readonly stopMs?: number;
  /** It fails right after its start. */
  readonly fails?: boolean;
  /** It ends by itself, well, so long after its start. */
  readonly endsAfterMs?: number;
}

export interface SimulatedHostOptions {
  readonly clock: Clock;
  readonly machineId: string;
  readonly hostname: string;
  readonly behaviour?: (unit: string) => Behaviour;
}

interface SimulatedUnit {
  body: string;
  note: UnitNote;
  state: UnitState;
  /** Counts actions: one that was overtaken by another comes to nothing. */
  turn: number;
}

const dead: UnitState = {
  load: "loaded",
  active: "inactive",
  sub: "dead",
  invocation: "",
  since: 0,
  reason: "",
};
const overtakenBy: JobOutcome = { done: false, reason: "another job took its place", failed: false };
const unknown: UnitState = { ...dead, load: "not-found" };

export class SimulatedHost implements Host {
  readonly #options: SimulatedHostOptions;
  readonly #units = new Map<string, SimulatedUnit>();
  readonly #texts = new Map<string, string>();
  readonly #images = new Map<string, string>();
  readonly #listeners = new Set<(names: readonly string[]) => void>();
  #boot = 1;
  #invocations = 0;
  #fence: FenceOrder = { deadline: undefined, units: [] };
  #fenceTimer: Timer | undefined;
  /** The machine's own shutdown. */
  shuttingDown = false;
  /** What was done, in order: `start a.service`. */
  readonly actions: string[] = [];
  reloads = 0;

  constructor(options: SimulatedHostOptions) {
    this.#options = options;
  }

  /** Units that run at this moment. */
  get running(): string[] {
    return [...this.#units].flatMap(([name, { state }]) => (isUp(state) ? [name] : [])).sort();
  }

  /** Power loss: nothing but the disk is left. */
  crash(): void {
    this.#fenceTimer?.cancel();
    this.#fence = { deadline: undefined, units: [] };
    this.#units.clear();
    this.#texts.clear();
    this.#listeners.clear();
    this.#boot += 1;
  }

  /** A unit ends by itself. */
  end(name: string, how: "inactive" | "failed" = "failed"): void {
    this.#set(name, {
      active: how,
      sub: how === "failed" ? "failed" : "dead",
      reason: how === "failed" ? "exit status 1" : "",
    });
  }

  facts(): Promise<HostFacts> {
    const { machineId, hostname } = this.#options;
    return Promise.resolve({
      machineId,
      bootId: `boot-${this.#boot}`,
      hostname,
      capacity: { cpus: 2, memoryBytes: 4 * 2 ** 30, unenforced: [] },
      os: { id: "simulated", version: "1", kernel: "0" },
    });
  }

  written(): Promise<ReadonlyMap<string, WrittenUnit>> {
    return Promise.resolve(new Map([...this.#units.keys()].map((name) => [name, this.#written(name)])));
  }

  write(name: string, body: string, note: UnitNote) {
    const known = this.#units.get(name);
    this.actions.push(`write ${name}`);
    if (known === undefined) this.#units.set(name, { body, note, state: dead, turn: 0 });
    else Object.assign(known, { body, note });
    return Promise.resolve({ unit: this.#written(name), reload: known !== undefined });
  }

  note(name: string, note: UnitNote): Promise<void> {
    const unit = this.#units.get(name);
    if (unit !== undefined) unit.note = note;
    return Promise.resolve();
  }

  body(name: string): Promise<string | undefined> {
    return Promise.resolve(this.#units.get(name)?.body);
  }

  remove(name: string): Promise<{ readonly reload: boolean }> {
    this.actions.push(`remove ${name}`);
    this.#units.delete(name);
    return Promise.resolve({ reload: false });
  }

  async reload(): Promise<void> {
    await this.#options.clock.sleep(100);
    this.reloads += 1;
  }

  /** The job goes on when nobody waits for it any more. */
  act(action: UnitAction, name: string, signal: AbortSignal): Promise<JobOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<JobOutcome>();
    const giveUp = (): void => reject(signal.reason as Error);
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    this.#job(action, name).then((outcome) => {
      signal.removeEventListener("abort", giveUp);
      resolve(outcome);
    }, reject);
    return promise;
  }

  async #job(action: UnitAction, name: string): Promise<JobOutcome> {
    const { clock } = this.#options;
    const unit = this.#units.get(name);
    this.actions.push(`${action} ${name}`);
    if (unit === undefined) {
      return action === "stop" ? { done: true } : { done: false, reason: `${name} not found`, failed: false };
    }
    const turn = (unit.turn += 1);
    const overtaken = (): boolean => unit.turn !== turn || this.#units.get(name) !== unit;
    const { startMs = 40, stopMs = 20, fails = false, endsAfterMs } = this.#behaviour(name);
    const isStopping = unit.state.active === "deactivating";
    if (isStopping || (action !== "start" && isUp(unit.state))) {
      this.#set(name, { active: "deactivating", sub: "stop-sigterm" });
      await clock.sleep(stopMs);
      if (overtaken()) return overtakenBy;
      this.#set(name, { active: "inactive", sub: "dead", reason: "" });
    }
    if (action === "stop" || (action === "start" && isUp(unit.state))) return { done: true };
    const invocation = (this.#invocations += 1).toString(16).padStart(32, "0");
    this.#set(name, { active: "activating", sub: "start", invocation, reason: "" });
    await clock.sleep(startMs);
    if (overtaken()) return overtakenBy;
    if (fails) {
      this.end(name);
      return { done: false, reason: "exit status 1", failed: true };
    }
    this.#set(name, { active: "active", sub: "running" });
    if (endsAfterMs !== undefined) {
      clock.timer(endsAfterMs, () => void (overtaken() || this.end(name, "inactive")));
    }
    return { done: true };
  }

  kill(name: string): Promise<void> {
    this.actions.push(`kill ${name}`);
    const unit = this.#units.get(name);
    if (unit !== undefined && unit.state.active !== "inactive") {
      unit.turn += 1;
      this.end(name);
    }
    return Promise.resolve();
  }

  resetFailed(name: string): Promise<void> {
    if (this.#units.get(name)?.state.active === "failed") this.end(name, "inactive");
    return Promise.resolve();
  }

  states(names: Iterable<string>): ReadonlyMap<string, UnitState> {
    return new Map([...names].map((name) => [name, this.#units.get(name)?.state ?? unknown]));
  }

  onChange(listener: (names: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  lastLine(): Promise<string> {
    return Promise.resolve("");
  }

  containers(): Promise<ReadonlyMap<string, ContainerFacts>> {
    return Promise.resolve(new Map());
  }

  imageId(reference: string): Promise<string | undefined> {
    return Promise.resolve(this.#images.get(reference));
  }

  /** Puts an image on the machine. */
  haveImage(reference: string, id: string): void {
    this.#images.set(reference, id);
  }

  loadImage(archive: ImageArchive): Promise<void> {
    this.actions.push(`load ${archive.sha256.slice(0, 12)}`);
    if (archive.urls.length > 0) return Promise.resolve();
    return Promise.reject(new KeelError("KEEL-107", "no machine holds it"));
  }

  uptimeSeconds(): number {
    return this.#options.clock.now() / 1000;
  }

  readFenceDeadline(): Promise<number | undefined> {
    return Promise.resolve(this.#fence.deadline);
  }

  writeFence(order: FenceOrder): Promise<void> {
    this.#fence = order;
    this.#fenceTimer?.cancel();
    if (order.deadline === undefined) return Promise.resolve();
    const leftMs = order.deadline * 1000 - this.#options.clock.now();
    this.#fenceTimer = this.#options.clock.timer(leftMs, () => this.#actAsFence(order));
    return Promise.resolve();
  }

  readState(name: string): Promise<string | undefined> {
    return Promise.resolve(this.#texts.get(name));
  }

  writeState(name: string, text: string): Promise<void> {
    this.#texts.set(name, text);
    return Promise.resolve();
  }

  isShuttingDown(): Promise<boolean> {
    return Promise.resolve(this.shuttingDown);
  }

  /** The daemon lets go of the machine; units and fence stay. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear();
    return Promise.resolve();
  }

  /** The fence stops its units, and kills a second later what still runs. */
  #actAsFence({ units, deadline }: FenceOrder): void {
    const { clock } = this.#options;
    for (const name of units) {
      if (!isUp(this.states([name]).get(name) ?? unknown)) continue;
      void this.act("stop", name, new AbortController().signal);
      clock.timer(1000, () => {
        const hasMoved = this.#fence.deadline !== deadline;
        if (!hasMoved && isUp(this.states([name]).get(name) ?? unknown)) void this.kill(name);
      });
    }
  }

  #behaviour(name: string): Behaviour {
    return this.#options.behaviour?.(name) ?? {};
  }

  #written(name: string): WrittenUnit {
    const { body = "", note } = this.#units.get(name) ?? {};
    const hash = createHash("sha256").update(body).digest("hex");
    const nothing: UnitNote = { hash: "", desired: "inactive", restarts: 0, fenced: false };
    return { name, hash, service: name, enabled: false, note: note ?? nothing };
  }

  #set(name: string, change: Partial<UnitState>): void {
    const unit = this.#units.get(name);
    if (unit === undefined) return;
    unit.state = { ...unit.state, ...change, since: this.#options.clock.wall() };
    this.#options.clock.timer(10, () => {
      for (const listener of this.#listeners) listener([name]);
    });
  }
}

function isUp({ active }: UnitState): boolean {
  return active === "active" || active === "activating" || active === "deactivating";
}
