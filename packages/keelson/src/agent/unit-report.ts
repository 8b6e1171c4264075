// What a unit's task has to say beside systemd's words: the steps on the way, what it has trouble with, the last
// line of a failed unit. Sends the status, and asks for what is still missing from it.
import type { UnitState, WrittenUnit } from "../host/host.ts";
import type { ScheduleEntry } from "../model/schedule.ts";
import type { UnitHealth } from "./health/unit-health.ts";
import type { UnitFileFacts } from "./unit-file-facts.ts";
import { composeStatus } from "./unit-status.ts";
import type { UnitSurroundings } from "./unit-surroundings.ts";

export interface ReportInput {
  readonly order: ScheduleEntry | undefined;
  readonly written: WrittenUnit | undefined;
  readonly file: UnitFileFacts | undefined;
  readonly state: UnitState;
  readonly health: Pick<UnitHealth, "course" | "failures">;
  /** Called when more is known and the report is to be sent again. */
  readonly again: () => void;
}

export type ReportStep = "received" | "image" | "written" | "started" | "active" | "healthy";

export class UnitReport {
  readonly #name: string;
  readonly #around: UnitSurroundings;
  /** What the task has trouble with or waits for, in words; empty when nothing. */
  problem = "";
  /** The order cannot be carried out as things stand. */
  isStuck = false;
  #steps: Partial<Record<ReportStep, number>> = {};
  #lastLine: string | undefined;
  #endedAt = Infinity;

  constructor(name: string, around: UnitSurroundings) {
    this.#name = name;
    this.#around = around;
  }

  /** Another order has come, or the unit is to go. */
  startOver(isOrdered: boolean): void {
    this.isStuck = false;
    if (isOrdered) this.#steps = { received: this.#around.clock.wall() };
  }

  /** The order is carried out. */
  settle(): void {
    this.problem = "";
    this.isStuck = false;
  }

  mark(step: ReportStep): void {
    if (step === "started") {
      delete this.#steps.active;
      delete this.#steps.healthy;
    }
    if (step === "active" || step === "healthy") this.#steps[step] ??= this.#around.clock.wall();
    else this.#steps[step] = this.#around.clock.wall();
  }

  /** When the unit was seen to have ended, on the monotonic clock; Infinity while it runs. */
  endOf({ active }: UnitState): number {
    if (active !== "inactive" && active !== "failed") this.#endedAt = Infinity;
    else if (this.#endedAt === Infinity) this.#endedAt = this.#around.clock.now();
    return this.#endedAt;
  }

  send({ order, written, file, state, health, again }: ReportInput): void {
    const { report, containers, address } = this.#around;
    this.endOf(state);
    this.#followContainer(state, file);
    this.#followFailure(state, again);
    // What was found running has run since then, whoever started it.
    const isFound = this.#steps.started === undefined && state.since > 0;
    if (state.active === "active" && isFound) this.#steps.active ??= state.since;
    if (state.active === "active") this.mark("active");
    const status = composeStatus({
      unit: this.#name,
      // What is stuck is stuck with the order, whatever lies there.
      hash: (this.isStuck ? order?.hash : written?.hash) ?? "",
      state,
      file,
      course: health.course,
      failures: health.failures,
      container: containers.get(this.#name),
      restarts: (this.isStuck ? order?.restarts : written?.note.restarts) ?? 0,
      problem: this.problem,
      isStuck: this.isStuck,
      lastLine: this.#lastLine ?? "",
      address,
      steps: this.#steps,
      run: order?.run === undefined || written?.note.run?.id !== order.run ? undefined : written.note.run,
    });
    if (status.health === "healthy") this.mark("healthy");
    report(this.#name, { ...status, steps: { ...this.#steps } });
  }

  #followContainer(state: UnitState, file: UnitFileFacts | undefined): void {
    const { containers } = this.#around;
    if (!file?.isContainer || !(file.hasChosenPorts || file.hasHealthCheck)) return;
    if (state.active !== "active") containers.forget(this.#name);
    else if (containers.get(this.#name) === undefined) containers.follow(this.#name, file.hasHealthCheck);
  }

  #followFailure(state: UnitState, again: () => void): void {
    if (state.active !== "failed") {
      this.#lastLine = undefined;
    } else if (this.#lastLine === undefined) {
      this.#lastLine = "";
      this.#around.lifetime.run("last line", async () => {
        this.#lastLine = await this.#around.host.lastLine(this.#name);
        again();
      });
    }
  }
}
