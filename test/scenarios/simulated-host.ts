// A machine in memory: files, a service manager whose units take a little time to start and to stop, and the
// fence. It lives on when the daemon dies, and loses everything when the power goes.
import { createHash } from "node:crypto";
import type { Clock } from "../../packages/keelson/src/base/clock.ts";
import type {
  ContainerFacts,
  FenceOrder,
  Host,
  HostFacts,
  JobOutcome,
  UnitAction,
  UnitNote,
  UnitState,
  WrittenUnit,
} from "../../packages/keelson/src/host/host.ts";

export const startMs = 300;
export const stopMs = 200;

export interface HostEvents {
  /** The unit begins to run here, or has ceased to. */
  readonly onUnit: (unit: string, what: "begins" | "runs" | "stopped" | "failed") => void;
}

interface Process {
  state: UnitState;
  /** Grows with every action: what an older one waits for is no longer its business. */
  turn: number;
}

const down: UnitState = {
  load: "loaded",
  active: "inactive",
  sub: "dead",
  invocation: "",
  since: 0,
  reason: "",
};

export class SimulatedHost implements Host {
  readonly machineId: string;
  readonly name: string;
  readonly #clock: Clock;
  readonly #events: HostEvents;
  readonly #files = new Map<string, { unit: WrittenUnit; body: string }>();
  readonly #processes = new Map<string, Process>();
  readonly #texts = new Map<string, string>();
  readonly #listeners = new Set<(names: readonly string[]) => void>();
  #fence: FenceOrder = { deadline: undefined, units: [] };
  #boots = 0;
  #invocations = 0;

  constructor(name: string, machineId: string, options: { readonly clock: Clock } & HostEvents) {
    this.name = name;
    this.machineId = machineId;
    this.#clock = options.clock;
    this.#events = options;
  }

  /** Units of which something runs. */
  get running(): string[] {
    return [...this.#processes].filter(([, { state }]) => isAlive(state)).map(([name]) => name);
  }

  /** The power goes: nothing runs, and what lay in memory is gone. */
  loseEverything(): void {
    this.#boots += 1;
    for (const process of this.#processes.values()) process.turn += 1;
    this.#processes.clear();
    this.#files.clear();
    this.#texts.clear();
    this.#listeners.clear();
    this.#fence = { deadline: undefined, units: [] };
  }

  /** What the fence, a program of its own, does every moment. */
  tick(): void {
    const { deadline, units } = this.#fence;
    if (deadline === undefined || this.uptimeSeconds() < deadline) return;
    for (const name of units) if (this.#isAlive(name)) this.#end(name, "inactive", "");
  }

  facts(): Promise<HostFacts> {
    return Promise.resolve({
      machineId: this.machineId,
      bootId: `${this.name}-boot-${this.#boots}`,
      hostname: this.name,
      capacity: { cpus: 4, memoryBytes: 2 ** 30, unenforced: [] },
      os: { id: "debian", version: "13", kernel: "6.12" },
    });
  }

  written(): Promise<ReadonlyMap<string, WrittenUnit>> {
    return Promise.resolve(new Map([...this.#files].map(([name, { unit }]) => [name, unit])));
  }

  async write(name: string, body: string, note: UnitNote): Promise<{ unit: WrittenUnit; reload: boolean }> {
    const hash = createHash("sha256").update(body).digest("hex");
    const unit: WrittenUnit = { name, hash, service: name, enabled: false, note };
    this.#files.set(name, { unit, body });
    return { unit, reload: true };
  }

  async note(name: string, note: UnitNote): Promise<void> {
    const file = this.#files.get(name);
    if (file !== undefined) file.unit = { ...file.unit, note };
  }

  body(name: string): Promise<string | undefined> {
    return Promise.resolve(this.#files.get(name)?.body);
  }

  async remove(name: string): Promise<{ reload: boolean }> {
    const reload = this.#files.delete(name);
    if (!this.#isAlive(name)) this.#processes.delete(name);
    return { reload };
  }

  reload(): Promise<void> {
    return this.#clock.sleep(10);
  }

  /** A job goes on when nobody waits for it any more. */
  act(action: UnitAction, name: string, signal: AbortSignal): Promise<JobOutcome> {
    const job = action === "stop" ? this.#stop(name) : this.#start(name, action);
    const given = new Promise<JobOutcome>((resolve) => {
      signal.addEventListener("abort", () => resolve(unfinished), { once: true });
    });
    return Promise.race([job, given]);
  }

  async kill(name: string): Promise<void> {
    if (this.#isAlive(name)) this.#end(name, "failed", "killed by SIGKILL");
  }

  async resetFailed(name: string): Promise<void> {
    const process = this.#processes.get(name);
    if (process?.state.active === "failed")
      this.#set(name, { ...process.state, active: "inactive", reason: "" });
  }

  states(names: Iterable<string>): ReadonlyMap<string, UnitState> {
    const stateOf = (name: string): UnitState =>
      this.#processes.get(name)?.state ?? (this.#files.has(name) ? down : { ...down, load: "not-found" });
    return new Map([...names].map((name) => [name, stateOf(name)]));
  }

  onChange(listener: (names: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  lastLine(): Promise<string> {
    return Promise.resolve("");
  }

  containers(): Promise<ReadonlyMap<string, ContainerFacts>> {
    return Promise.resolve(new Map<string, ContainerFacts>());
  }

  imageId(): Promise<string | undefined> {
    return Promise.resolve(undefined);
  }

  loadImage(): Promise<void> {
    return Promise.resolve();
  }

  uptimeSeconds(): number {
    return this.#clock.now() / 1000;
  }

  readFenceDeadline(): Promise<number | undefined> {
    return Promise.resolve(this.#fence.deadline);
  }

  async writeFence(order: FenceOrder): Promise<void> {
    this.#fence = order;
  }

  readState(name: string): Promise<string | undefined> {
    return Promise.resolve(this.#texts.get(name));
  }

  async writeState(name: string, text: string): Promise<void> {
    this.#texts.set(name, text);
  }

  isShuttingDown(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #start(name: string, action: "start" | "restart"): Promise<JobOutcome> {
    const file = this.#files.get(name);
    if (file === undefined) return { done: false, reason: "no such unit", failed: true };
    const isGoing = this.#processes.get(name)?.state.active === "deactivating";
    if (this.#isAlive(name) && !isGoing && action === "start") return { done: true };
    // The job waits for the end of what is there.
    if (this.#isAlive(name)) this.#end(name, "inactive", "");
    const turn = this.#begin(name, { active: "activating", sub: "start", invocation: this.#newInvocation() });
    this.#events.onUnit(name, "begins");
    await this.#clock.sleep(startMs);
    if (this.#processes.get(name)?.turn !== turn) return unfinished;
    if (file.body.includes("/bin/false")) {
      this.#end(name, "failed", "exit status 1");
      return { done: false, reason: "exit status 1", failed: true };
    }
    this.#begin(name, { active: "active", sub: "running" });
    this.#events.onUnit(name, "runs");
    return { done: true };
  }

  async #stop(name: string): Promise<JobOutcome> {
    if (!this.#isAlive(name)) return { done: true };
    const turn = this.#begin(name, { active: "deactivating", sub: "stop" });
    await this.#clock.sleep(stopMs);
    if (this.#processes.get(name)?.turn === turn) this.#end(name, "inactive", "");
    return { done: true };
  }

  #end(name: string, active: "inactive" | "failed", reason: string): void {
    this.#begin(name, { active, sub: active === "failed" ? "failed" : "dead", reason });
    this.#events.onUnit(name, active === "failed" ? "failed" : "stopped");
  }

  #begin(name: string, fields: Partial<UnitState>): number {
    const process = this.#processes.get(name) ?? { state: down, turn: 0 };
    process.turn += 1;
    this.#processes.set(name, process);
    this.#set(name, { ...process.state, ...fields, since: this.#clock.wall() });
    return process.turn;
  }

  #set(name: string, state: UnitState): void {
    const process = this.#processes.get(name);
    if (process === undefined) return;
    process.state = state;
    this.#clock.timer(5, () => {
      for (const listener of this.#listeners) listener([name]);
    });
  }

  #isAlive(name: string): boolean {
    const process = this.#processes.get(name);
    return process !== undefined && isAlive(process.state);
  }

  #newInvocation(): string {
    this.#invocations += 1;
    return `${this.#boots}`.padStart(16, "0") + `${this.#invocations}`.padStart(16, "0");
  }
}

const unfinished: JobOutcome = { done: false, reason: "the job did not end", failed: false };

const isAlive = ({ active }: UnitState): boolean => active !== "inactive" && active !== "failed";
