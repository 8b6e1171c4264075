// How `keel` reaches keeld: HTTP over a Unix socket, or, to read only, over TCP. Every answer is checked
// before it is believed; an error of the daemon becomes the same KeelError here.
import { existsSync } from "node:fs";
import { request as httpRequest } from "node:http";
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Clock } from "../base/clock.ts";
import { KeelError, describeError } from "../base/errors.ts";
import type { ErrorBody } from "../base/errors.ts";
import type { SurvivabilityView, WhatIfView } from "../api/wire/foretelling.ts";
import type { HealthView } from "../api/wire/health.ts";
import type { EventView, HistoryStart, TimelineView } from "../api/wire/history.ts";
import type { ImageView } from "../api/wire/image.ts";
import type { JobsView } from "../api/wire/job.ts";
import type { OperationSummary, OperationView, PlanView, ProgressView } from "../api/wire/operation.ts";
import type { WhyMachineView, WhyView } from "../api/wire/reasons.ts";
import type { RolloutView, VersionView } from "../api/wire/rollout.ts";
import type { SettingsView } from "../api/wire/settings.ts";
import type { SnapshotView } from "../api/wire/snapshot.ts";
import type { SystemView } from "../api/wire/system-update.ts";
import type { TimersView } from "../api/wire/timer.ts";
import type { GrowthPlan, MoveLine, StoreStatusView } from "../api/wire/store.ts";
import type { RestorePlan } from "../model/backup.ts";
import type { OperationRequest } from "../model/operation.ts";
import { answers } from "./daemon-answers.ts";
import type { Answer } from "./daemon-answers.ts";
import { isErrorCode } from "./report-error.ts";

/** Where a daemon listens. */
export type Endpoint =
  | { readonly socket: string }
  | {
      readonly url: URL;
      /** A socket that leads there. */
      readonly through?: string;
    };

export interface ClientSettings {
  /** How long one request may take to be answered; 30 s unless given. */
  readonly requestMs?: number | undefined;
  /** For https. */
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer } | undefined;
  /** Tells every request and its answer. */
  readonly trace?: ((text: string) => void) | undefined;
  readonly clock?: Clock | undefined;
}

/** Largest answer that is read into memory, in bytes. */
const maxAnswerBytes = 64 << 20;
/** How long one request may take to be answered, unless it is a stream. */
const requestMs = 30_000;

/** Where a machine's own keeld listens. */
const machineSocket = "/run/keelson/api.sock";

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

/**
 * The daemon of the named local cluster, the one at KEEL_ENDPOINT (`unix:/path`, `http://host:port`), or, on
 * a machine of a cluster, its own. Throws KEEL-104 for an endpoint of another form.
 */
export function endpointFor(place: {
  readonly cluster: string;
  /** The cluster was named on the command line: KEEL_ENDPOINT does not count then. */
  readonly named: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}): Endpoint {
  const text = place.env.KEEL_ENDPOINT ?? "";
  if (place.named || text === "") {
    const local = `/run/keelson/${place.cluster}/api.sock`;
    const isOnMachine = !place.named && !existsSync(local) && existsSync(machineSocket);
    return { socket: isOnMachine ? machineSocket : local };
  }
  return parseEndpoint(text, "KEEL_ENDPOINT");
}

/** `unix:/path`, `unix:///path`, `file:///path`, `/path`, `http(s)://host:port`. Throws KEEL-104, naming `what`. */
export function parseEndpoint(text: string, what: string): Endpoint {
  const path = /^(?:unix|file):(.*)$/.exec(text)?.[1];
  if (path !== undefined) {
    if (/^\/\/[^/]/.test(path))
      throw new KeelError("KEEL-104", `${what}: "${text}" has a host where a path begins`, {
        hint: `unix:///${path.slice(2)}`,
      });
    return { socket: path.replace(/^\/\/(?=\/)/, "") };
  }
  if (text.startsWith("/")) return { socket: text };
  const url = URL.parse(text);
  if (url?.protocol === "http:" || url?.protocol === "https:") return { url };
  throw new KeelError("KEEL-104", `${what}: "${text}" is no endpoint`, {
    hint: "unix:///path or http://host:port",
  });
}

/** The endpoint in words, for errors. */
export function describeEndpoint(endpoint: Endpoint): string {
  return "socket" in endpoint ? endpoint.socket : endpoint.url.origin;
}

interface Call {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly json?: unknown;
  /** A body that is streamed, with its length. */
  readonly body?: { readonly stream: NodeJS.ReadableStream; readonly bytes: number; readonly type: string };
  /** No limit on the time between request and answer: for streams and uploads. */
  readonly patient?: boolean;
}

export class DaemonClient {
  readonly endpoint: Endpoint;
  readonly #signal: AbortSignal;
  readonly #settings: ClientSettings;

  constructor(endpoint: Endpoint, signal: AbortSignal, settings: ClientSettings = {}) {
    this.endpoint = endpoint;
    this.#signal = signal;
    this.#settings = settings;
  }

  /** The same daemon for at most this long. */
  within(ms: number): DaemonClient {
    return this.until(AbortSignal.timeout(ms));
  }

  /** The same daemon until this signal fires, too. */
  until(signal: AbortSignal): DaemonClient {
    return new DaemonClient(this.endpoint, AbortSignal.any([this.#signal, signal]), this.#settings);
  }

  health(): Promise<HealthView> {
    return this.#get("/v1/health", answers.health);
  }

  snapshot(): Promise<SnapshotView> {
    return this.#get("/v1/snapshot", answers.snapshot);
  }

  why(unit: string): Promise<WhyView> {
    return this.#get(`/v1/why/${encodeURIComponent(unit)}`, answers.why);
  }

  whyMachine(id: string): Promise<WhyMachineView> {
    return this.#get(`/v1/machines/${encodeURIComponent(id)}/why`, answers.whyMachine);
  }

  jobs(): Promise<JobsView> {
    return this.#get("/v1/jobs", answers.jobs);
  }

  timers(): Promise<TimersView> {
    return this.#get("/v1/timers", answers.timers);
  }

  /** Whether the cluster can lose any one machine, as far as it is known now. */
  survivability(): Promise<SurvivabilityView> {
    return this.#get("/v1/survivability", answers.survivability);
  }

  /** Settings of the whole cluster. */
  settings(): Promise<SettingsView> {
    return this.#get("/v1/settings", answers.settings);
  }

  timeline(unit: string): Promise<TimelineView> {
    return this.#get(`/v1/timeline/${encodeURIComponent(unit)}`, answers.timeline);
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
    yield* this.#lines({ path: `/v1/history?${query.toString()}`, patient: true }, answers.historyLine);
  }

  /** What would happen; nothing is changed. */
  whatIf(supposed: AskedSupposition): Promise<WhatIfView> {
    return this.#json({ method: "POST", path: "/v1/what-if", json: supposed }, answers.whatIf);
  }

  /** The unit file, byte for byte. Throws KEEL-501. */
  async unitFile(unit: string): Promise<Uint8Array> {
    return await this.#whole({ path: `/v1/units/${encodeURIComponent(unit)}/file` });
  }

  /** The file of one of its versions. Throws KEEL-501, KEEL-543. */
  async versionFile(unit: string, number: number): Promise<Uint8Array> {
    return await this.#whole({ path: `/v1/units/${encodeURIComponent(unit)}/versions/${number}/file` });
  }

  /** The newest first. Throws KEEL-501. */
  async versions(unit: string): Promise<readonly VersionView[]> {
    return (await this.#get(`/v1/units/${encodeURIComponent(unit)}/versions`, answers.versions)).versions;
  }

  /** The latest rollout of each unit. */
  async rollouts(): Promise<readonly RolloutView[]> {
    return (await this.#get("/v1/rollouts", answers.rollouts)).rollouts;
  }

  /** The machines' operating systems, and the latest update of them. */
  system(): Promise<SystemView> {
    return this.#get("/v1/system", answers.system);
  }

  plan(ask: Ask): Promise<PlanView> {
    return this.#json({ method: "POST", path: "/v1/plan", json: ask }, answers.plan);
  }

  /** Makes the change. Throws what a guard refuses, with the plan in its details. */
  operate(ask: Ask): Promise<OperationView> {
    return this.#json({ method: "POST", path: "/v1/operations", json: ask }, answers.operation);
  }

  async operations(): Promise<readonly OperationSummary[]> {
    return (await this.#get("/v1/operations", answers.operations)).operations;
  }

  operation(id: string): Promise<OperationView> {
    return this.#get(`/v1/operations/${encodeURIComponent(id)}`, answers.operation);
  }

  /** The operation's way to its outcome, one view whenever something moved; the last is `done`. */
  async *progress(id: string): AsyncGenerator<ProgressView> {
    const path = `/v1/operations/${encodeURIComponent(id)}/progress`;
    yield* this.#lines({ path, patient: true }, answers.progress);
  }

  /** Asks every member of the store. */
  store(): Promise<StoreStatusView> {
    return this.#get("/v1/store", answers.store);
  }

  planGrowth(members: number): Promise<GrowthPlan> {
    return this.#json({ method: "POST", path: "/v1/store/plan", json: { members } }, answers.growth);
  }

  /** Begins a move; one line for each step, the last is `done`. It goes on when nobody reads. */
  async *moveStore(
    move: { readonly to: "etcd"; readonly members: number } | { readonly to: "embedded" },
  ): AsyncGenerator<MoveLine> {
    yield* this.#lines(
      { method: "POST", path: "/v1/store/move", json: move, patient: true },
      answers.moveLine,
    );
  }

  /** Throws KEEL-724 unless the daemon's store can be restored now. */
  async checkRestorable(): Promise<void> {
    await readAll(await this.#open({ path: "/v1/store/restore" }));
  }

  /** Hands a backup in, to be restored into the running store; resolves with what that would change. */
  planRestore(stream: NodeJS.ReadableStream, bytes: number): Promise<RestorePlan> {
    const body = { stream, bytes, type: "application/octet-stream" };
    return this.#json(
      { method: "POST", path: "/v1/store/restore/plan", body, patient: true },
      answers.restore,
    );
  }

  /** The daemon forgets what was handed in. */
  async dropRestore(): Promise<void> {
    await this.#whole({ method: "DELETE", path: "/v1/store/restore/plan" });
  }

  /** Carries a plan out; one line for each step, the last is `done`. It goes on when nobody reads. */
  async *restoreStore(plan: string): AsyncGenerator<MoveLine> {
    const call = { method: "POST", path: "/v1/store/restore", json: { plan }, patient: true } as const;
    yield* this.#lines(call, answers.moveLine);
  }

  /** Deletes what former moves have left. Resolves with the folders. */
  async forgetFormerStore(): Promise<readonly string[]> {
    return (await this.#json({ method: "POST", path: "/v1/store/forget" }, answers.forgotten)).forgotten;
  }

  /** What a new machine needs to speak to the store, with a private key; undefined when it needs nothing. */
  async newcomerCredentials(machine: string): Promise<unknown> {
    const call = { method: "POST", path: "/v1/store/credentials", json: { machine } } as const;
    return (await this.#json(call, answers.newcomer)).credentials ?? undefined;
  }

  /** Asks for a machine's member of the store to be taken elsewhere. */
  async replaceStoreMember(machine: string, { cancel = false } = {}): Promise<void> {
    await this.#whole({ method: "POST", path: "/v1/store/replace", json: { machine, cancel } });
  }

  /** What a path answers, in the form that is expected of it. */
  read<T>(path: string, answer: Answer<T>): Promise<T> {
    return this.#get(path, answer);
  }

  /** The bytes that a path answers, as they come. */
  async *bytes(path: string): AsyncGenerator<Uint8Array, void, void> {
    const response = await this.#open({ path, patient: true });
    try {
      yield* response as AsyncIterable<Uint8Array>;
    } catch (cause) {
      if (this.#signal.aborted) throw this.#signal.reason;
      throw new KeelError("KEEL-601", `${path}: the answer ended early`, { cause });
    } finally {
      response.destroy();
    }
  }

  /** What a path answers to a JSON body. */
  post<T>(path: string, json: unknown, answer: Answer<T>): Promise<T> {
    return this.#json({ method: "POST", path, json }, answer);
  }

  /** A path's lines of JSON, as they come. */
  stream<T>(path: string, answer: Answer<T>): AsyncGenerator<T> {
    return this.#lines({ path, patient: true }, answer);
  }

  async images(): Promise<readonly ImageView[]> {
    return (await this.#get("/v1/images", answers.images)).images;
  }

  /** Hands an image archive in. */
  loadImage(stream: NodeJS.ReadableStream, bytes: number): Promise<ImageView> {
    const body = { stream, bytes, type: "application/x-tar" };
    return this.#json({ method: "POST", path: "/v1/images", body, patient: true }, answers.image);
  }

  /** Throws KEEL-204 while units use it, unless the cluster's name is given. */
  async removeImage(name: string, confirm: string | undefined): Promise<void> {
    const query = confirm === undefined ? "" : `?confirm=${encodeURIComponent(confirm)}`;
    await this.#whole({ method: "DELETE", path: `/v1/images/${encodeURIComponent(name)}${query}` });
  }

  async *#lines<T>(call: Call, answer: Answer<T>): AsyncGenerator<T> {
    const response = await this.#open(call);
    try {
      for await (const line of lines(response)) {
        if (line.trim() !== "") yield check(answer, parseJson(line, call.path), call.path);
      }
    } catch (error) {
      if (this.#signal.aborted) throw this.#signal.reason;
      throw error instanceof KeelError ? error : this.#brokenOff(error);
    } finally {
      response.destroy();
    }
  }

  #get<T>(path: string, answer: Answer<T>): Promise<T> {
    return this.#json({ path }, answer);
  }

  async #json<T>(call: Call, answer: Answer<T>): Promise<T> {
    const text = new TextDecoder().decode(await this.#whole(call));
    return check(answer, parseJson(text, call.path), call.path);
  }

  /** The whole answer. */
  async #whole(call: Call): Promise<Uint8Array> {
    const response = await this.#open(call);
    try {
      return await readAll(response);
    } catch (error) {
      if (this.#signal.aborted) throw this.#signal.reason;
      throw error instanceof KeelError ? error : this.#brokenOff(error);
    }
  }

  /** Sends the request; resolves with an answer of the 200s, throws the daemon's error for any other. */
  async #open(call: Call): Promise<IncomingMessage> {
    const response = await this.#send(call);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    const text = new TextDecoder().decode(await readAll(response));
    throw errorFrom(status, text, `${call.method ?? "GET"} ${call.path}`);
  }

  #send(call: Call): Promise<IncomingMessage> {
    const { endpoint } = this;
    const payload = call.json === undefined ? undefined : Buffer.from(JSON.stringify(call.json));
    const headers: Record<string, string | number> = { accept: "application/json" };
    if (payload)
      Object.assign(headers, { "content-type": "application/json", "content-length": payload.length });
    if (call.body)
      Object.assign(headers, { "content-type": call.body.type, "content-length": call.body.bytes });
    const { requestMs: patienceMs = requestMs, clock } = this.#settings;
    const [ask, where] = this.#way();
    const began = clock?.now() ?? 0;
    const trace = (outcome: string): void => {
      const ms = Math.round((clock?.now() ?? 0) - began);
      this.#settings.trace?.(
        `${call.method ?? "GET"} ${describeEndpoint(endpoint)} ${call.path}: ${outcome} in ${ms} ms`,
      );
    };
    return new Promise((resolve, reject) => {
      const sent: ClientRequest = ask(
        { ...where, method: call.method ?? "GET", path: call.path, headers, signal: this.#signal },
        (response) => {
          sent.setTimeout(0);
          trace(String(response.statusCode));
          resolve(response);
        },
      );
      if (call.patient !== true) {
        sent.setTimeout(patienceMs, () => sent.destroy(new Error(`no answer within ${patienceMs / 1000} s`)));
      }
      sent.on("error", (error: NodeJS.ErrnoException) => {
        trace(error.message);
        reject(this.#unreachable(error));
      });
      if (call.body) {
        call.body.stream.on("error", (error: Error) => sent.destroy(error));
        call.body.stream.pipe(sent);
      } else sent.end(payload);
    });
  }

  #way(): readonly [typeof httpRequest, RequestOptions & { readonly servername?: string }] {
    const { endpoint } = this;
    if ("socket" in endpoint) return [httpRequest, { socketPath: endpoint.socket }];
    const { hostname, port, protocol } = endpoint.url;
    const isSecure = protocol === "https:";
    const host = { host: hostname.replace(/^\[|\]$/g, ""), port: port || (isSecure ? 443 : 80) };
    const place = endpoint.through === undefined ? host : { socketPath: endpoint.through };
    if (!isSecure) return [httpRequest, place];
    return [httpsRequest, { ...place, ...this.#settings.tls, servername: host.host }];
  }

  #brokenOff(cause: unknown): KeelError {
    const where = describeEndpoint(this.endpoint);
    return new KeelError("KEEL-601", `the daemon at ${where} ended before its answer did`, {
      cause,
      hint: "run the command again when it is back: `keel doctor` says how it is",
    });
  }

  #unreachable(error: NodeJS.ErrnoException): unknown {
    if (this.#signal.aborted) return this.#signal.reason;
    const where = describeEndpoint(this.endpoint);
    if (error.code === "EACCES" || error.code === "EPERM") {
      return new KeelError("KEEL-601", `${where} may only be opened by root`, {
        cause: error,
        hint: "run keel as root: sudo keel …",
      });
    }
    const absent = error.code === "ENOENT" || error.code === "ECONNREFUSED";
    const message = absent ? `no daemon answers at ${where}` : `${where}: ${describeError(error)}`;
    return new KeelError("KEEL-601", message, {
      cause: error,
      hint: absent
        ? "`keel up` starts a local cluster; `keel cluster list` shows those that are there"
        : "`keel doctor` says more",
    });
  }
}

/** The daemon's own error, or KEEL-900 for an answer that holds none. */
function errorFrom(status: number, text: string, what: string): KeelError {
  const body = errorBody(text);
  const foreign = fleetErrorIn(text);
  if (foreign !== undefined)
    return new KeelError(
      "KEEL-601",
      `${what} was answered with ${status}: ${foreign || "nothing is there"}`,
      {
        hint: "fleet’s API alone answers there; keel needs keeld’s own, at its socket or at api.listen",
      },
    );
  if (!body) return new KeelError("KEEL-900", `${what} was answered with ${status}: ${text.slice(0, 200)}`);
  const code = isErrorCode(body.code) ? body.code : "KEEL-900";
  return new KeelError(code, body.message, {
    ...(body.hint === undefined ? {} : { hint: body.hint }),
    ...(body.details === undefined ? {} : { details: body.details }),
  });
}

/** The message of an error in fleet's shape. */
function fleetErrorIn(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown } };
    return typeof error?.code === "number" ? String(error.message) : undefined;
  } catch {
    return undefined;
  }
}

function errorBody(text: string): ErrorBody | undefined {
  try {
    const result = answers.error.safeParse(JSON.parse(text));
    return result.success ? (result.data.error as ErrorBody) : undefined;
  } catch {
    return undefined;
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new KeelError("KEEL-900", `the answer to ${path} is no JSON`, { cause });
  }
}

function check<T>(answer: Answer<T>, json: unknown, path: string): T {
  const result = answer.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue ? `${issue.path.map(String).join(".")}: ${issue.message}` : "unknown form";
  throw new KeelError("KEEL-900", `the answer to ${path} has another form than expected (${field})`, {
    hint: "keel and keeld may be of different versions: compare with `keel version`",
  });
}

async function readAll(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxAnswerBytes) {
      response.destroy();
      throw new KeelError("KEEL-605", `an answer of more than ${maxAnswerBytes >> 20} MiB`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function* lines(response: IncomingMessage): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > maxAnswerBytes) throw new KeelError("KEEL-605", "a line of more than 64 MiB");
    yield* parts;
  }
  if (rest !== "") yield rest;
}
