import { SystemdError } from "../error.ts";

/** systemd's ActiveState; a string, because systemd may add to it. */
export type ActiveState =
  | "active"
  | "reloading"
  | "inactive"
  | "failed"
  | "activating"
  | "deactivating"
  | "maintenance"
  | "refreshing"
  | (string & {});

/** One row of what systemd has loaded. */
export interface UnitListing {
  readonly name: string;
  readonly description: string;
  readonly load: string;
  readonly active: ActiveState;
  readonly sub: string;
  /** The queued or running job. */
  readonly job: { readonly id: number; readonly type: string } | undefined;
}

/** systemd's own truth about one unit. Times are microseconds since 1970; undefined stands for "never" or "none". */
export interface UnitState {
  readonly name: string;
  /** LoadState: `loaded`, `not-found`, `bad-setting`, `error`, `masked`. */
  readonly load: string;
  readonly active: ActiveState;
  readonly sub: string;
  /** 32 hexadecimal digits; new with every start. */
  readonly invocationId: string | undefined;
  readonly activeEnterUsec: number | undefined;
  readonly stateChangeUsec: number | undefined;
  /** Of services that run. */
  readonly mainPid: number | undefined;
  /** `success` or why it failed: `exit-code`, `signal`, `timeout`, `oom-kill`, `start-limit-hit`, ... */
  readonly result: string | undefined;
  /** Exit status of the main process, or the number of the signal that ended it; only once it has ended. */
  readonly execMainStatus: number | undefined;
  /** Whether the main process ended by itself (`exited`) or by a signal (`killed`, `dumped`). */
  readonly execMainCode: "exited" | "killed" | "dumped" | undefined;
  /** How often systemd restarted the service by itself. */
  readonly nRestarts: number | undefined;
  /** What the service last said of itself. */
  readonly statusText: string | undefined;
  /** The file on disk is newer than what systemd has loaded. */
  readonly needDaemonReload: boolean;
  readonly fragmentPath: string | undefined;
  /** `enabled`, `disabled`, `static`, `generated`, `transient`, ... */
  readonly unitFileState: string | undefined;
  /** Why loading it failed. */
  readonly loadError: string | undefined;
  readonly jobId: number | undefined;
}

export type Properties = Readonly<Record<string, unknown>>;

/** Properties that signals and reads are cut down to; everything else is not remembered. */
const KEPT = new Set([
  "LoadState",
  "ActiveState",
  "SubState",
  "InvocationID",
  "ActiveEnterTimestamp",
  "StateChangeTimestamp",
  "MainPID",
  "Result",
  "ExecMainStatus",
  "ExecMainCode",
  "ExecMainExitTimestamp",
  "NRestarts",
  "StatusText",
  "NeedDaemonReload",
  "FragmentPath",
  "UnitFileState",
  "LoadError",
  "Job",
]);

/** Only what {@link unitState} looks at. */
export function keptProperties(properties: Properties): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => KEPT.has(name)));
}

/** @throws SystemdError `bus-call` when a property is not of the type that systemd documents */
export function unitState(name: string, properties: Properties): UnitState {
  const read = new PropertyReader(name, properties);
  const ended = read.time("ExecMainExitTimestamp") !== undefined;
  const loadError = properties["LoadError"];
  const job = properties["Job"];
  return {
    name,
    load: read.text("LoadState") ?? "",
    active: read.text("ActiveState") ?? "",
    sub: read.text("SubState") ?? "",
    invocationId: read.hex("InvocationID"),
    activeEnterUsec: read.time("ActiveEnterTimestamp"),
    stateChangeUsec: read.time("StateChangeTimestamp"),
    mainPid: read.positive("MainPID"),
    result: read.text("Result"),
    execMainStatus: ended ? read.number("ExecMainStatus") : undefined,
    execMainCode: ended ? EXIT_CODES[read.number("ExecMainCode") ?? 0] : undefined,
    nRestarts: read.number("NRestarts"),
    statusText: read.text("StatusText"),
    needDaemonReload: properties["NeedDaemonReload"] === true,
    fragmentPath: read.text("FragmentPath"),
    unitFileState: read.text("UnitFileState"),
    loadError:
      Array.isArray(loadError) && typeof loadError[1] === "string" ? loadError[1] || undefined : undefined,
    jobId: Array.isArray(job) && typeof job[0] === "number" ? job[0] || undefined : undefined,
  };
}

/** CLD_EXITED, CLD_KILLED, CLD_DUMPED of wait(2). */
const EXIT_CODES: Readonly<Record<number, "exited" | "killed" | "dumped">> = {
  1: "exited",
  2: "killed",
  3: "dumped",
};

class PropertyReader {
  readonly #unit: string;
  readonly #properties: Properties;

  constructor(unit: string, properties: Properties) {
    this.#unit = unit;
    this.#properties = properties;
  }

  /** Undefined when missing or empty. */
  text(name: string): string | undefined {
    return this.#typed(name, "string") || undefined;
  }

  number(name: string): number | undefined {
    return this.#typed(name, "number");
  }

  positive(name: string): number | undefined {
    return this.number(name) || undefined;
  }

  time(name: string): number | undefined {
    return Number(this.#typed(name, "bigint") ?? 0n) || undefined;
  }

  hex(name: string): string | undefined {
    const value = this.#properties[name];
    return value instanceof Uint8Array && value.length > 0 ? Buffer.from(value).toString("hex") : undefined;
  }

  #typed(name: string, type: "string"): string | undefined;
  #typed(name: string, type: "number"): number | undefined;
  #typed(name: string, type: "bigint"): bigint | undefined;
  #typed(name: string, type: string): unknown {
    const value = this.#properties[name];
    if (value === undefined || typeof value === type) return value;
    throw new SystemdError(
      "bus-call",
      `${this.#unit}: the property ${name} is a ${typeof value}, not a ${type}`,
    );
  }
}

/** Rows of ListUnits and ListUnitsByPatterns, `a(ssssssouso)`. @throws SystemdError `bus-call` */
export function unitListings(rows: unknown): UnitListing[] {
  if (!Array.isArray(rows)) throw new SystemdError("bus-call", "systemd's list of units is no list");
  return rows.map((row: readonly unknown[]) => {
    const [name, description, load, active, sub, , , jobId, jobType] = row;
    const texts = [name, description, load, active, sub, jobType];
    if (!texts.every((text) => typeof text === "string") || typeof jobId !== "number") {
      throw new SystemdError("bus-call", "systemd's list of units has rows of another form");
    }
    const [n = "", d = "", l = "", a = "", s = "", type = ""] = texts;
    return {
      name: n,
      description: d,
      load: l,
      active: a,
      sub: s,
      job: jobId === 0 ? undefined : { id: jobId, type },
    };
  });
}

/** Whether anything that {@link UnitState} tells differs. */
export function sameState(one: UnitState | undefined, other: UnitState | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return (Object.keys(one) as (keyof UnitState)[]).every((field) => one[field] === other[field]);
}
