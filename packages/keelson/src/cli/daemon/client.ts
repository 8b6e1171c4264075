// What `keel` asks of keeld, and what it is answered.
import type { WhatIfView, SurvivabilityView } from "../../api/wire/foretelling.ts";
import type { HealthView } from "../../api/wire/health.ts";
import type { TimelineView, HistoryStart, EventView } from "../../api/wire/history.ts";
import type { JobsView } from "../../api/wire/job.ts";
import type { PlanView, OperationView, OperationSummary, ProgressView } from "../../api/wire/operation.ts";
import type { WhyView, WhyMachineView } from "../../api/wire/reasons.ts";
import type { RolloutView, VersionView } from "../../api/wire/rollout.ts";
import type { SettingsView } from "../../api/wire/settings.ts";
import type { SnapshotView } from "../../api/wire/snapshot.ts";
import type { SystemView } from "../../api/wire/system-update.ts";
import type { TimersView } from "../../api/wire/timer.ts";
import type { OperationRequest } from "../../model/operation.ts";
import { whatIfAnswer, survivabilityAnswer } from "./answers/foretelling.ts";
import { healthAnswer } from "./answers/health.ts";
import { timelineAnswer, historyLineAnswer } from "./answers/history.ts";
import { jobsAnswer } from "./answers/job.ts";
import { planAnswer, operationAnswer, operationsAnswer, progressAnswer } from "./answers/operation.ts";
import { whyAnswer, whyMachineAnswer } from "./answers/reasons.ts";
import { rolloutsAnswer, versionsAnswer } from "./answers/rollout.ts";
import { settingsAnswer } from "./answers/settings.ts";
import { snapshotAnswer } from "./answers/snapshot.ts";
import { systemAnswer } from "./answers/system-update.ts";
import { timersAnswer } from "./answers/timer.ts";
import { updateWhyAnswer } from "./answers/updates.ts";
import type { UpdateWhyView } from "../../api/wire/updates.ts";
import type { Answer } from "./answers/form.ts";
import { DaemonCalls } from "./calls.ts";
import type { ClientSettings } from "./calls.ts";
import type { Endpoint } from "./endpoint.ts";
import { ImageCalls } from "./image-calls.ts";
import { StoreCalls } from "./store-calls.ts";

/** What is supposed, in the form of `POST /v1/what-if`. */
export type AskedSupposition =
  | { readonly lose: readonly string[] }
  | {
      readonly add: {
        readonly count?: number | undefined;
        readonly memoryBytes?: number | undefined;
        readonly cpus?: number | undefined;
        readonly metadata?: Readonly<Record<string, string>>;
      };
    }
  | { readonly intent: OperationRequest["intent"] };

/** What the command sends: fields with a default may be left out. */
export type Ask = Pick<OperationRequest, "intent"> & Partial<OperationRequest>;

/** A daemon, reached through one endpoint. Every call throws KEEL-601 when it cannot be reached. */
export class DaemonClient {
  readonly store: StoreCalls;
  readonly images: ImageCalls;
  readonly #calls: DaemonCalls;

  constructor(calls: DaemonCalls) {
    this.#calls = calls;
    this.store = new StoreCalls(calls);
    this.images = new ImageCalls(calls);
  }

  /** The daemon at an endpoint, until the signal fires. */
  static at(endpoint: Endpoint, signal: AbortSignal, settings: ClientSettings = {}): DaemonClient {
    return new DaemonClient(new DaemonCalls(endpoint, signal, settings));
  }

  get endpoint(): Endpoint {
    return this.#calls.endpoint;
  }

  /** The same daemon for at most this long. */
  within(ms: number): DaemonClient {
    return this.until(AbortSignal.timeout(ms));
  }

  /** The same daemon until this signal fires, too. */
  until(signal: AbortSignal): DaemonClient {
    return new DaemonClient(this.#calls.until(signal));
  }

  health(): Promise<HealthView> {
    return this.#calls.get("/v1/health", healthAnswer);
  }

  snapshot(): Promise<SnapshotView> {
    return this.#calls.get("/v1/snapshot", snapshotAnswer);
  }

  why(unit: string): Promise<WhyView> {
    return this.#calls.get(`/v1/why/${encodeURIComponent(unit)}`, whyAnswer);
  }

  whyMachine(id: string): Promise<WhyMachineView> {
    return this.#calls.get(`/v1/machines/${encodeURIComponent(id)}/why`, whyMachineAnswer);
  }

  updateWhy(machine: string): Promise<UpdateWhyView> {
    return this.#calls.get(`/v1/updates/machines/${encodeURIComponent(machine)}`, updateWhyAnswer);
  }

  jobs(): Promise<JobsView> {
    return this.#calls.get("/v1/jobs", jobsAnswer);
  }

  timers(): Promise<TimersView> {
    return this.#calls.get("/v1/timers", timersAnswer);
  }

  /** Whether the cluster can lose any one machine, as far as it is known now. */
  survivability(): Promise<SurvivabilityView> {
    return this.#calls.get("/v1/survivability", survivabilityAnswer);
  }

  /** Settings of the whole cluster. */
  settings(): Promise<SettingsView> {
    return this.#calls.get("/v1/settings", settingsAnswer);
  }

  timeline(unit: string): Promise<TimelineView> {
    return this.#calls.get(`/v1/timeline/${encodeURIComponent(unit)}`, timelineAnswer);
  }

  /** How far back the history goes, and then what happened, in order; it goes on when it is followed. */
  async *history(wanted: {
    readonly unit?: string | undefined;
    readonly machine?: string | undefined;
    /** Unix milliseconds. */
    readonly since?: number | undefined;
    readonly follow: boolean;
  }): AsyncGenerator<HistoryStart | EventView> {
    const query = new URLSearchParams({ follow: wanted.follow ? "1" : "0" });
    for (const name of ["unit", "machine", "since"] as const) {
      const value = wanted[name];
      if (value !== undefined) query.set(name, String(value));
    }
    yield* this.#calls.lines({ path: `/v1/history?${query.toString()}`, patient: true }, historyLineAnswer);
  }

  /** What would happen; nothing is changed. */
  whatIf(supposed: AskedSupposition): Promise<WhatIfView> {
    return this.#calls.json({ method: "POST", path: "/v1/what-if", json: supposed }, whatIfAnswer);
  }

  /** The unit file, byte for byte. Throws KEEL-501. */
  async unitFile(unit: string): Promise<Uint8Array> {
    return await this.#calls.whole({ path: `/v1/units/${encodeURIComponent(unit)}/file` });
  }

  /** The file of one of its versions. Throws KEEL-501, KEEL-543. */
  async versionFile(unit: string, number: number): Promise<Uint8Array> {
    return await this.#calls.whole({ path: `/v1/units/${encodeURIComponent(unit)}/versions/${number}/file` });
  }

  /** The newest first. Throws KEEL-501. */
  async versions(unit: string): Promise<readonly VersionView[]> {
    return (await this.#calls.get(`/v1/units/${encodeURIComponent(unit)}/versions`, versionsAnswer)).versions;
  }

  /** The latest rollout of each unit. */
  async rollouts(): Promise<readonly RolloutView[]> {
    return (await this.#calls.get("/v1/rollouts", rolloutsAnswer)).rollouts;
  }

  /** The machines' operating systems, and the latest update of them. */
  system(): Promise<SystemView> {
    return this.#calls.get("/v1/system", systemAnswer);
  }

  plan(ask: Ask): Promise<PlanView> {
    return this.#calls.json({ method: "POST", path: "/v1/plan", json: ask }, planAnswer);
  }

  /** Makes the change. Throws what a guard refuses, with the plan in its details. */
  operate(ask: Ask): Promise<OperationView> {
    return this.#calls.json({ method: "POST", path: "/v1/operations", json: ask }, operationAnswer);
  }

  async operations(): Promise<readonly OperationSummary[]> {
    return (await this.#calls.get("/v1/operations", operationsAnswer)).operations;
  }

  operation(id: string): Promise<OperationView> {
    return this.#calls.get(`/v1/operations/${encodeURIComponent(id)}`, operationAnswer);
  }

  /** The operation's way to its outcome, one view whenever something moved; the last is `done`. */
  async *progress(id: string): AsyncGenerator<ProgressView> {
    const path = `/v1/operations/${encodeURIComponent(id)}/progress`;
    yield* this.#calls.lines({ path, patient: true }, progressAnswer);
  }

  /** What a path answers, in the form that is expected of it. */
  read<T>(path: string, answer: Answer<T>): Promise<T> {
    return this.#calls.get(path, answer);
  }

  /** The bytes that a path answers, as they come. */
  bytes(path: string): AsyncGenerator<Uint8Array, void, void> {
    return this.#calls.bytes(path);
  }

  /** What a path answers to a JSON body. */
  post<T>(path: string, json: unknown, answer: Answer<T>): Promise<T> {
    return this.#calls.json({ method: "POST", path, json }, answer);
  }

  /** A path's lines of JSON, as they come. */
  stream<T>(path: string, answer: Answer<T>): AsyncGenerator<T> {
    return this.#calls.lines({ path, patient: true }, answer);
  }
}
