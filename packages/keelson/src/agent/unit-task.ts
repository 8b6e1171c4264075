// One unit on this machine: a task of its own that carries its orders out, with its own retries, and reports.
// No unit waits for another, but for the files that its own file refers to.
import { Backoff } from "../base/backoff.ts";
import type { Timer } from "../base/clock.ts";
import { describeError, KeelError } from "../base/errors.ts";
import type { Host, JobOutcome, RunNote, UnitState, WrittenUnit } from "../host/host.ts";
import type { ScheduleEntry } from "../model/schedule.ts";
import { longestPauseMs } from "./health/failure-log.ts";
import { type Remedy, UnitHealth } from "./health/unit-health.ts";
import { cutShort, endOf, endUnderFence, lostStoreWords } from "./run-end.ts";
import { attemptNote, isCarriedOut, isFenced, isRunning, noteOf, openNote, planSteps } from "./steps.ts";
import type { Step } from "./steps.ts";
import { readUnitFile } from "./unit-file-facts.ts";
import type { UnitFileFacts } from "./unit-file-facts.ts";
import { provideImages } from "./unit-images.ts";
import { UnitReport } from "./unit-report.ts";
import type { UnitSurroundings } from "./unit-surroundings.ts";

/** podman's own failure, as against its container's: podman-run(1), exit status. */
const podmanFailed = "exit status 125";

const toldMs = 100;

export interface FenceHow {
  readonly kill: boolean;
  /** What was seen to end since then was stopped by the fence itself. */
  readonly stopAt: number;
}

/** It cannot run as things stand: that is reported as a failure, and it is tried again all the same. */
class Stuck extends Error {}

export class UnitTask {
  readonly name: string;
  readonly #around: UnitSurroundings;
  readonly #backoff: Backoff;
  #order: ScheduleEntry | undefined;
  /** Whether it was told at all: no order and an order to go are different things. */
  #isTold = false;
  #written: WrittenUnit | undefined;
  #file: UnitFileFacts | undefined;
  readonly #report: UnitReport;
  readonly #health: UnitHealth;
  #remedyTimer: { readonly at: number; readonly timer: Timer } | undefined;
  #wake = Promise.withResolvers<void>();
  /** Aborts what is under way for an order that holds no more. */
  #attempt = new AbortController();
  #isGone = false;
  /** What the lost lease made it do; nothing else is done before that is over. */
  #fencing: Promise<unknown> = Promise.resolve();

  constructor(name: string, written: WrittenUnit | undefined, around: UnitSurroundings) {
    this.name = name;
    this.#around = around;
    this.#written = written;
    this.#report = new UnitReport(name, around);
    this.#health = new UnitHealth(name, around, () => this.refresh());
    this.#backoff = new Backoff({ firstMs: 250, maxMs: 15_000 }, around.random);
    around.lifetime.run(`unit ${name}`, (signal) => this.#run(signal));
  }

  /** Whether its file lies there as ordered. */
  get isInPlace(): boolean {
    return this.#written !== undefined && this.#written.hash === this.#order?.hash;
  }

  /** Whether it cannot start before this file lies there. */
  waitsFor(name: string): boolean {
    return this.#report.problem !== "" && this.#file?.references.includes(name) === true;
  }

  /** Gives it an order, or takes it back (`undefined`: the unit is to go). */
  setOrder(order: ScheduleEntry | undefined): void {
    const before = this.#order;
    this.#order = order;
    const isRepeated = order === undefined && before === undefined && this.#isTold;
    this.#isTold = true;
    const isSame =
      order !== undefined &&
      before?.hash === order.hash &&
      before.desired === order.desired &&
      before.restarts === order.restarts &&
      before.run === order.run &&
      before.onPartition === order.onPartition;
    if (isSame || isRepeated) return;
    this.#report.startOver(order !== undefined);
    this.#attempt.abort(new Error("the order changed"));
    this.kick();
  }

  /** Looks at it again at once. */
  kick(): void {
    this.#backoff.reset();
    this.#wake.resolve();
  }

  /** The machine has lost its lease: stops the unit, or kills it. It starts again when it is ordered anew. */
  fence(how: FenceHow): Promise<void> {
    const fencing = this.#fence(how);
    this.#fencing = Promise.allSettled([this.#fencing, fencing]);
    return fencing;
  }

  async #fence({ kill, stopAt }: FenceHow): Promise<void> {
    const { host, lifetime } = this.#around;
    this.#attempt.abort(new Error("this machine lost the store"));
    const state = this.#state();
    const hasEnded = this.#report.endOf(state) < stopAt;
    if (this.#written === undefined || hasEnded) return;
    this.#report.problem = lostStoreWords;
    const { note } = this.#written;
    const run = cutShort(note.run, this.#around.clock.wall());
    // What may still seem to run when contact comes back at this moment is on its way out.
    await this.#note({ ...note, hash: "", restarts: -1, ...run });
    if (kill) await host.kill(this.name);
    else await host.act("stop", this.name, lifetime.signal);
    this.refresh();
  }

  /** Reports the state as it is now. */
  refresh(): void {
    if (this.#isGone || (this.#order === undefined && this.#written === undefined)) return;
    const state = this.#state();
    this.#observe(state);
    this.#report.send({
      order: this.#order,
      written: this.#written,
      file: this.#file,
      state,
      health: this.#health,
      again: () => this.refresh(),
    });
  }

  /** What runs by its order is followed; what the machine is to do about it by itself wakes the task in time. */
  #observe(state: UnitState): void {
    const order = this.#order;
    const note = this.#written?.note;
    const isToRun = order !== undefined && order.desired === "launched" && !order.companion;
    if (isToRun && note !== undefined && isCarriedOut(order, note))
      this.#health.observe({ order, file: this.#file, state });
    else this.#health.rest(order);
    const at = this.#health.remedy?.at;
    if (at === this.#remedyTimer?.at) return;
    this.#remedyTimer?.timer.cancel();
    const { clock } = this.#around;
    const timer = (at: number): Timer =>
      clock.timer(Math.max(0, Math.min(at - clock.wall(), 1.2 * longestPauseMs)), () => this.#wake.resolve());
    this.#remedyTimer = at === undefined ? undefined : { at, timer: timer(at) };
  }

  /** What is to be done now about a unit that failed, or that its checks find ill. */
  #dueRemedy(): Remedy["action"] | undefined {
    const { clock, mayStartSingletons } = this.#around;
    const remedy = this.#health.remedy;
    const leftMs = (remedy?.at ?? Infinity) - clock.wall();
    // A wait that is longer than any was set by a clock that was put back since.
    const isDue = remedy !== undefined && (leftMs <= 0 || leftMs > 1.2 * longestPauseMs);
    if (!isDue || this.#order === undefined || (isFenced(this.#order) && !mayStartSingletons()))
      return undefined;
    this.#health.begin();
    return remedy.action;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#wake.resolve();
    signal.addEventListener("abort", stop, { once: true });
    while (!signal.aborted && !this.#isGone) {
      await this.#wake.promise;
      if (signal.aborted) return;
      this.#wake = Promise.withResolvers();
      this.#attempt = new AbortController();
      const attempt = this.#attempt.signal;
      try {
        await this.#carryOut(AbortSignal.any([signal, attempt]));
      } catch (error) {
        if (!attempt.aborted && !signal.aborted) this.#retryLater(error);
      }
    }
  }

  async #carryOut(signal: AbortSignal): Promise<void> {
    const { onProgress, onGone, report } = this.#around;
    for (;;) {
      await this.#fencing;
      signal.throwIfAborted();
      await this.#readFile();
      const [planned] = planSteps(this.#order, { written: this.#written, state: this.#state() });
      const step = planned ?? this.#dueRemedy();
      if (step === undefined) break;
      await this.#do(step, signal);
      signal.throwIfAborted();
      if (this.#order !== undefined) this.refresh();
    }
    this.#report.settle();
    this.#backoff.reset();
    onProgress(this.name);
    if (this.#order !== undefined) return this.refresh();
    this.#isGone = true;
    this.#remedyTimer?.timer.cancel();
    this.#health.rest(undefined);
    report(this.name, undefined);
    onGone(this.name);
  }

  async #do(step: Step, signal: AbortSignal): Promise<void> {
    switch (step) {
      case "write":
        return this.#write(this.#ordered(), signal);
      case "start":
      case "restart":
        return this.#start(step, this.#ordered(), signal);
      case "await":
        return this.#await(this.#ordered(), signal);
      case "stop":
        return this.#stop(signal);
      case "note":
        return this.#finish(this.#ordered());
      case "remove":
        return this.#remove();
    }
  }

  async #write(order: ScheduleEntry, signal: AbortSignal): Promise<void> {
    const { host, bodies, store } = this.#around;
    const body = await bodies.load(order.hash, { signal });
    if (body === undefined)
      throw new Error(`the store does not hold the unit's file ${order.hash.slice(0, 12)}`);
    const file = readUnitFile(this.name, body);
    let localImage: string | undefined;
    if (file.images.length > 0 || file.mentionsContainers) {
      const { names, fetched } = await provideImages({ host, store }, { file, body }, signal);
      if (fetched) this.#report.mark("image");
      const [image] = file.images;
      // What is on the machine is never looked up in a registry.
      if (image !== undefined && this.name.endsWith(".image")) {
        if (names.includes(image) || (await host.imageId(image)) !== undefined) localImage = image;
      }
    }
    signal.throwIfAborted();
    // Under another name systemd would not find what runs.
    if (this.#written !== undefined && this.#written.service !== file.service) {
      await host.act("stop", this.name, signal);
    }
    const { unit, reload } = await host.write(this.name, body, {
      ...openNote(order),
      ...(localImage !== undefined && { localImage }),
    });
    this.#written = unit;
    this.#file = file;
    this.#report.mark("written");
    this.#around.onProgress(this.name);
    if (reload) await host.reload();
  }

  async #start(action: "start" | "restart", order: ScheduleEntry, signal: AbortSignal): Promise<void> {
    const { host, pace, fencer, isInPlace, mayStartSingletons } = this.#around;
    const missing = this.#file?.references.filter((name) => !isInPlace(name)) ?? [];
    if (missing.length > 0) throw new Error(`waits for ${missing.join(", ")}`);
    if (isFenced(order)) {
      if (!mayStartSingletons()) throw new Error("waits until this machine has contact with the store");
      await fencer.cover(this.name);
    }
    if (this.#state().active === "failed") await host.resetFailed(this.name);
    if (order.run !== undefined) await this.#note(attemptNote(order, this.#beginning(order.run)));
    const begin = () => {
      signal.throwIfAborted();
      this.#report.mark("started");
      return host.act(action, this.name, signal);
    };
    const outcome = await (this.#file?.isContainer === true
      ? pace.run(() => this.#startContainer(begin))
      : begin());
    if (order.run !== undefined) return this.#conclude(order, outcome, signal);
    if (outcome.done) this.#report.mark("active");
    else if (outcome.stuck === true) throw new Stuck((await this.#failedReference(signal)) ?? outcome.reason);
    else if (!outcome.failed) throw new Error(outcome.reason);
    await this.#finish(order);
  }

  #beginning(id: string): RunNote {
    return { id, begun: this.#around.clock.wall(), invocation: "" };
  }

  /** An attempt that was begun, maybe by a daemon before this one. */
  async #await(order: ScheduleEntry, signal: AbortSignal): Promise<void> {
    const { active } = this.#state();
    if (active === "deactivating") throw new Error("it is about to end");
    // A start job that is under way is joined.
    const outcome = isRunning({ active })
      ? await this.#around.host.act("start", this.name, signal)
      : undefined;
    await this.#conclude(order, outcome, signal);
  }

  /** Notes how the attempt ended. */
  async #conclude(order: ScheduleEntry, outcome: JobOutcome | undefined, signal: AbortSignal): Promise<void> {
    const { host, clock } = this.#around;
    const run = this.#written?.note.run;
    if (run === undefined || run.ended !== undefined) return;
    // Its state is told a moment after the job.
    await clock.sleep(toldMs, signal);
    const state = this.#state();
    if (outcome?.done === false && (isRunning(state) || state.active === "deactivating")) {
      throw new Error(outcome.reason);
    }
    if (outcome?.done !== true && (await isShuttingDown(host))) throw new Error("this machine shuts down");
    const ending = await host.startEnding(this.name, run.begun);
    const reference = outcome?.done === false && outcome.stuck === true;
    const needs = reference ? await this.#failedReference(signal) : undefined;
    const lastLine = state.active === "failed" ? await host.lastLine(this.name) : "";
    const seen = endOf({ outcome, state, ending, lastLine, needs, at: clock.wall() });
    const ended = isFenced(order) ? endUnderFence(seen, run.begun, await this.#lastFenced()) : seen;
    const invocation = run.invocation || ending?.invocation || state.invocation;
    if (ended.result === "succeeded") this.#report.mark("active");
    await this.#note(attemptNote(order, { ...run, invocation, ended }));
    await this.#cover(order);
  }

  /** When the fence last acted, in Unix milliseconds. */
  async #lastFenced(): Promise<number | undefined> {
    const { host, clock } = this.#around;
    const fenced = await host.lastFenced();
    return fenced === undefined ? undefined : clock.wall() - (host.uptimeSeconds() - fenced) * 1000;
  }

  /** podman trips over what a killed container left, and cleans it up in doing so: the second try counts. */
  async #startContainer(begin: () => Promise<JobOutcome>): Promise<JobOutcome> {
    const first = await begin();
    if (first.done || !first.failed || first.reason !== podmanFailed) return first;
    await this.#around.host.resetFailed(this.name);
    return begin();
  }

  /** A file that this one refers to and that has failed, with its reason. */
  async #failedReference(signal: AbortSignal): Promise<string | undefined> {
    const { host, clock } = this.#around;
    // Its state is told a moment after the job that it failed.
    await clock.sleep(toldMs, signal);
    for (const [name, { active, reason }] of host.states(this.#file?.references ?? [])) {
      if (active === "active" || reason === "") continue;
      const line = active === "failed" ? await host.lastLine(name) : "";
      return `needs ${name}, which failed: ${reason}${line === "" ? "" : `: ${line}`}`;
    }
    return undefined;
  }

  async #stop(signal: AbortSignal): Promise<void> {
    // From here on it does not run as it was told to: should that be ordered again, it starts anew.
    if (this.#written !== undefined) await this.#note({ ...this.#written.note, hash: "" });
    const outcome = await this.#around.host.act("stop", this.name, signal);
    if (!outcome.done && !outcome.failed) throw new Error(outcome.reason);
    if (this.#order === undefined) await this.#remove();
    else await this.#finish(this.#order);
  }

  /** The order is carried out. */
  async #finish(order: ScheduleEntry): Promise<void> {
    const run = this.#written?.note.run;
    const keeps = run !== undefined && run.id === order.run;
    await this.#note(keeps ? attemptNote(order, run) : noteOf(order));
    await this.#cover(order);
  }

  async #cover(order: ScheduleEntry): Promise<void> {
    const { fencer } = this.#around;
    await (isFenced(order) ? fencer.cover(this.name) : fencer.uncover(this.name));
  }

  async #remove(): Promise<void> {
    const { host, fencer, containers } = this.#around;
    // While its file is there: later systemd would keep a failed unit that is no more.
    await host.resetFailed(this.name);
    const { reload } = await host.remove(this.name);
    await fencer.uncover(this.name);
    containers.forget(this.name);
    this.#written = undefined;
    if (reload) await host.reload();
  }

  async #note(note: WrittenUnit["note"]): Promise<void> {
    if (this.#written === undefined) return;
    await this.#around.host.note(this.name, note);
    this.#written = { ...this.#written, note };
  }

  async #readFile(): Promise<void> {
    if (this.#file !== undefined || this.#written === undefined) return;
    const body = await this.#around.host.body(this.name);
    if (body !== undefined) this.#file = readUnitFile(this.name, body);
  }

  #retryLater(error: unknown): void {
    const { clock, log } = this.#around;
    const problem = describeError(error);
    const waitMs = this.#backoff.next();
    if (problem !== this.#report.problem) log.warn(`${this.name}: ${problem}`);
    this.#report.problem = problem;
    this.#report.isStuck =
      error instanceof Stuck || (error instanceof KeelError && error.code === "KEEL-101");
    this.refresh();
    const wake = this.#wake;
    clock.timer(waitMs, () => wake.resolve());
  }

  #state(): UnitState {
    const state = this.#around.host.states([this.name]).get(this.name);
    if (state === undefined) throw new Error(`the host does not tell the state of ${this.name}`);
    return state;
  }

  #ordered(): ScheduleEntry {
    if (this.#order === undefined) throw new Error("the order changed");
    return this.#order;
  }
}

/** What systemd stops then has not failed: it goes on elsewhere. */
const isShuttingDown = (host: Host): Promise<boolean> => host.isShuttingDown().catch(() => false);
