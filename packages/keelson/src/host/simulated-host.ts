// A machine in memory, on a clock that a scenario moves: units that start, run, fail and stop, files and notes that
// survive the daemon, and the fence, which acts whether a daemon lives or not. For tests of scale and failure.
// Invariant: what was begun goes on when the daemon dies, and only the loss of power ends everything at once.
import { createHash } from "node:crypto";
import type { Clock, Timer } from "../base/clock.ts";
import { KeelError } from "../base/errors.ts";
import type {
  ContainerFacts,
  FenceOrder,
  Host,
  HostFacts,
  ImageArchive,
  JobOutcome,
  ProbeAnswer,
  StartEnding,
  UnitAction,
  UnitNote,
  UnitState,
  WrittenUnit,
} from "./host.ts";

/** How a unit behaves; by default it starts in 40 ms, runs for ever and stops in 20 ms. */
export interface Behaviour {
  readonly startMs?: number;
  readonly stopMs?: number;
  /** It fails right after its start. */
  readonly fails?: boolean;
  /** What its checks find; they find it well otherwise. */
  readonly ails?: string;
  /** It runs to its end, for which it takes `startMs`. */
  readonly ends?: boolean;
}

/** What becomes of a unit's processes: they are made, are up, have ended well or not. */
export type UnitEvent = "begins" | "runs" | "stopped" | "failed";

export interface SimulatedHostOptions {
  readonly clock: Clock;
  readonly machineId: string;
  readonly hostname: string;
  readonly behaviour?: (unit: string, body: string) => Behaviour;
  readonly onUnit?: (unit: string, event: UnitEvent) => void;
  /** After how many milliseconds a change is told of, each time that it is told; once after 5 unless given. */
  readonly notices?: () => readonly number[];
}

interface Process {
  state: UnitState;
  job: Job | undefined;
}

interface Job {
  readonly action: UnitAction;
  readonly outcome: Promise<JobOutcome>;
}

const dead: UnitState = {
  load: "loaded",
  active: "inactive",
  sub: "dead",
  invocation: "",
  since: 0,
  reason: "",
  restarts: 0,
};
const unknown: UnitState = { ...dead, load: "not-found" };
const overtaken: JobOutcome = { done: false, reason: "another job took its place", failed: false };
const reloadMs = 10;
const promptNotices = [5];

export class SimulatedHost implements Host {
  readonly #options: SimulatedHostOptions;
  readonly #files = new Map<string, { readonly body: string; note: UnitNote }>();
  readonly #processes = new Map<string, Process>();
  readonly #endings = new Map<string, StartEnding>();
  readonly #texts = new Map<string, string>();
  readonly #images = new Map<string, string>();
  readonly #listeners = new Set<(names: readonly string[]) => void>();
  #boot = 1;
  #invocations = 0;
  #fence: FenceOrder = { deadline: undefined, units: [] };
  #fenceTimer: Timer | undefined;
  #fencedAt: number | undefined;
  /** What was done, in order: `start a.service`. */
  readonly actions: string[] = [];

  constructor(options: SimulatedHostOptions) {
    this.#options = options;
  }

  get machineId(): string {
    return this.#options.machineId;
  }

  /** Units of which something runs at this moment. */
  get running(): string[] {
    return [...this.#processes].flatMap(([name, { state }]) => (isUp(state) ? [name] : [])).sort();
  }

  /** The power goes: nothing runs, and what lay in memory is gone. */
  losePower(): void {
    this.#fenceTimer?.cancel();
    this.#fence = { deadline: undefined, units: [] };
    this.#processes.clear();
    this.#files.clear();
    this.#texts.clear();
    this.#endings.clear();
    this.#listeners.clear();
    this.#boot += 1;
  }

  /** A unit ends by itself. */
  end(name: string, how: "inactive" | "failed" = "failed"): void {
    this.#endAtOnce(name, how === "failed" ? "exit status 1" : "");
  }

  /** Puts an image on the machine. */
  haveImage(reference: string, id: string): void {
    this.#images.set(reference, id);
  }

  facts(): Promise<HostFacts> {
    const { machineId, hostname } = this.#options;
    return Promise.resolve({
      machineId,
      bootId: `${hostname}-boot-${this.#boot}`,
      hostname,
      capacity: { cpus: 4, memoryBytes: 4 * 2 ** 30, unenforced: [] },
      os: { id: "simulated", version: "1", kernel: "0" },
    });
  }

  written(): Promise<ReadonlyMap<string, WrittenUnit>> {
    const units = [...this.#files].map(([name, file]) => [name, writtenUnit(name, file)] as const);
    return Promise.resolve(new Map(units));
  }

  write(name: string, body: string, note: UnitNote) {
    this.actions.push(`write ${name}`);
    const file = { body, note };
    this.#files.set(name, file);
    return Promise.resolve({ unit: writtenUnit(name, file), reload: true });
  }

  note(name: string, note: UnitNote): Promise<void> {
    const file = this.#files.get(name);
    if (file !== undefined) file.note = note;
    return Promise.resolve();
  }

  body(name: string): Promise<string | undefined> {
    return Promise.resolve(this.#files.get(name)?.body);
  }

  /** What runs goes on without its file. */
  remove(name: string): Promise<{ readonly reload: boolean }> {
    this.actions.push(`remove ${name}`);
    return Promise.resolve({ reload: this.#files.delete(name) });
  }

  reload(): Promise<void> {
    return this.#options.clock.sleep(reloadMs);
  }

  /** The job goes on when nobody waits for it any more. */
  async act(action: UnitAction, name: string, signal: AbortSignal): Promise<JobOutcome> {
    signal.throwIfAborted();
    this.actions.push(`${action} ${name}`);
    const { promise: givenUp, reject } = Promise.withResolvers<never>();
    const giveUp = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      return await Promise.race([this.#enqueue(action, name), givenUp]);
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  kill(name: string): Promise<void> {
    this.actions.push(`kill ${name}`);
    this.#endAtOnce(name, "killed by SIGKILL");
    return Promise.resolve();
  }

  resetFailed(name: string): Promise<void> {
    const process = this.#processes.get(name);
    if (process?.state.active === "failed") {
      this.#set(name, process, { active: "inactive", sub: "dead", reason: "" });
    }
    return Promise.resolve();
  }

  states(names: Iterable<string>): ReadonlyMap<string, UnitState> {
    return new Map([...names].map((name) => [name, this.#stateOf(name)]));
  }

  onChange(listener: (names: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  startEnding(name: string, sinceMs: number): Promise<StartEnding | undefined> {
    const ending = this.#endings.get(name);
    return Promise.resolve(ending !== undefined && ending.at >= sinceMs ? ending : undefined);
  }

  lastLine(): Promise<string> {
    return Promise.resolve("");
  }

  containers(): Promise<ReadonlyMap<string, ContainerFacts>> {
    return Promise.resolve(new Map());
  }

  /** A check of what runs, by the unit's behaviour now. */
  probe(name: string): Promise<ProbeAnswer> {
    const { ails } = this.#options.behaviour?.(name, this.#files.get(name)?.body ?? "") ?? {};
    if (this.#stateOf(name).active !== "active")
      return Promise.resolve({ ok: false, reason: "it does not run" });
    return Promise.resolve(ails === undefined ? { ok: true } : { ok: false, reason: ails });
  }

  imageId(reference: string): Promise<string | undefined> {
    return Promise.resolve(this.#images.get(reference));
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

  lastFenced(): Promise<number | undefined> {
    return Promise.resolve(this.#fencedAt);
  }

  /** As with the fence itself, only a deadline that has moved arms it again. */
  writeFence(order: FenceOrder): Promise<void> {
    const { deadline } = order;
    const hasMoved = deadline !== this.#fence.deadline;
    this.#fence = order;
    if (!hasMoved) return Promise.resolve();
    this.#fenceTimer?.cancel();
    if (deadline !== undefined) {
      const leftMs = deadline * 1000 - this.#options.clock.now();
      this.#fenceTimer = this.#options.clock.timer(leftMs, () => this.#actAsFence());
    }
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
    return Promise.resolve(false);
  }

  /** The daemon lets go of the machine; units and fence stay. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear();
    return Promise.resolve();
  }

  /** A job that is under way already is waited for; any other one ends it. */
  #enqueue(action: UnitAction, name: string): Promise<JobOutcome> {
    const process = this.#processes.get(name) ?? { state: dead, job: undefined };
    this.#processes.set(name, process);
    const { job } = process;
    const isSame = job?.action === action || (action === "start" && job?.action === "restart");
    if (job !== undefined && isSame) return job.outcome;
    const { promise, resolve } = Promise.withResolvers<JobOutcome>();
    const begun: Job = { action, outcome: promise };
    process.job = begun;
    const holds = (): boolean => process.job === begun && this.#processes.get(name) === process;
    void this.#carryOut(action, name, { process, holds }).then((outcome) => {
      if (holds()) process.job = undefined;
      resolve(outcome);
    });
    return promise;
  }

  async #carryOut(
    action: UnitAction,
    name: string,
    { process, holds }: { readonly process: Process; readonly holds: () => boolean },
  ): Promise<JobOutcome> {
    const { clock, behaviour } = this.#options;
    const body = this.#files.get(name)?.body;
    const { startMs = 40, stopMs = 20, fails = false, ends = false } = behaviour?.(name, body ?? "") ?? {};
    const mayStay = action === "start" && process.state.active !== "deactivating";
    if (isUp(process.state) && mayStay) return { done: true };
    if (isUp(process.state)) {
      this.#set(name, process, { active: "deactivating", sub: "stop-sigterm" });
      await clock.sleep(stopMs);
      if (!holds()) return overtaken;
      this.#set(name, process, { active: "inactive", sub: "dead", reason: "" });
    }
    if (action === "stop") return { done: true };
    if (body === undefined) return { done: false, reason: "no such unit", failed: false, stuck: true };
    const invocation = `${this.#boot}`.padStart(16, "0") + `${(this.#invocations += 1)}`.padStart(16, "0");
    this.#set(name, process, { active: "activating", sub: "start", invocation, reason: "" });
    await clock.sleep(startMs);
    if (!holds()) return overtaken;
    if (fails) {
      this.end(name);
      return { done: false, reason: "exit status 1", failed: true };
    }
    if (ends) {
      this.#endings.set(name, { at: clock.wall(), succeeded: true, invocation });
      this.#set(name, process, { active: "inactive", sub: "dead" });
      return { done: true };
    }
    this.#set(name, process, { active: "active", sub: "running" });
    return { done: true };
  }

  /** What runs is gone at once, and whatever job there was with it; a reason makes it a failure. */
  #endAtOnce(name: string, reason: string): void {
    const process = this.#processes.get(name);
    if (process === undefined || !isUp(process.state)) return;
    process.job = undefined;
    const failed = reason !== "";
    const [active, sub] = failed ? (["failed", "failed"] as const) : (["inactive", "dead"] as const);
    this.#set(name, process, { active, sub, reason });
  }

  /** The fence stops its units, and kills a second later what still runs. */
  #actAsFence(): void {
    const { clock } = this.#options;
    this.#fencedAt = this.uptimeSeconds();
    const { units } = this.#fence;
    const stillUp = (): string[] => units.filter((name) => isUp(this.#stateOf(name)));
    for (const name of stillUp()) void this.act("stop", name, new AbortController().signal);
    this.#fenceTimer = clock.timer(1000, () => {
      for (const name of stillUp()) void this.kill(name);
    });
  }

  #stateOf(name: string): UnitState {
    const state = this.#processes.get(name)?.state ?? dead;
    return this.#files.has(name) || isUp(state) ? state : unknown;
  }

  #set(name: string, process: Process, change: Partial<UnitState>): void {
    const { clock, onUnit, notices } = this.#options;
    const before = process.state;
    const state = { ...before, ...change, since: clock.wall() };
    process.state = state;
    const event = events.get(state.active);
    const isNews = state.active !== before.active && (isUp(state) || isUp(before));
    if (isNews && event !== undefined) onUnit?.(name, event);
    for (const noticeMs of notices?.() ?? promptNotices) {
      clock.timer(noticeMs, () => {
        for (const listener of this.#listeners) listener([name]);
      });
    }
  }
}

const events: ReadonlyMap<string, UnitEvent> = new Map([
  ["activating", "begins"],
  ["active", "runs"],
  ["inactive", "stopped"],
  ["failed", "failed"],
]);

const isUp = ({ active }: UnitState): boolean => active !== "inactive" && active !== "failed";

function writtenUnit(name: string, { body, note }: { readonly body: string; note: UnitNote }): WrittenUnit {
  const hash = createHash("sha256").update(body).digest("hex");
  return { name, hash, service: name, enabled: false, note };
}
