/**
 * systemd's manager over D-Bus. One connection serves everything; it comes back by itself after the bus or
 * systemd restarted. Holds for all calls: at most 64 are under way at once, each has a deadline and heeds an
 * AbortSignal, and what systemd refuses is a {@link SystemdError} with systemd's own message.
 */
import { SystemdError } from "../error.ts";
import { parseUnitName } from "../name/unit-name.ts";
import type { BusSignal } from "./bus.ts";
import { type Clock, systemClock, type SystemdLog } from "./clock.ts";
import { MANAGER, MANAGER_PATH, ManagerConnection, SYSTEMD } from "./connection.ts";
import { dialBus } from "./dbus-bus.ts";
import { Deadline } from "./deadline.ts";
import { type JobOutcome, type JobResult, JobTracker, type PendingJob } from "./jobs.ts";
import type {
  CallOptions,
  EnableOptions,
  JobOptions,
  KillWhom,
  ManagerOptions,
  SystemState,
} from "./options.ts";
import { unitPath } from "./unit-path.ts";
import {
  keptProperties,
  type Properties,
  type UnitListing,
  unitListings,
  type UnitState,
  unitState,
} from "./unit-state.ts";
import { type Extent, type UnitReader, UnitWatch, type WatchOptions } from "./unit-watch.ts";

const PROPERTIES = "org.freedesktop.DBus.Properties";
const UNIT = "org.freedesktop.systemd1.Unit";

/** A job that systemd itself limits to 90 s by default gets a little longer before we stop waiting for it. */
const JOB_TIMEOUT_MS = 120_000;

type JobMethod = "StartUnit" | "StopUnit" | "RestartUnit" | "ReloadUnit" | "ReloadOrRestartUnit";

export class SystemdManager implements AsyncDisposable {
  readonly #connection: ManagerConnection;
  readonly #surroundings: { readonly clock: Clock; readonly log: SystemdLog };
  readonly #jobs = new JobTracker();
  readonly #watches = new Set<UnitWatch>();
  readonly #gone = new AbortController();
  #watchingUnits: Promise<void> | undefined;

  private constructor(connection: ManagerConnection, surroundings: { clock: Clock; log: SystemdLog }) {
    this.#connection = connection;
    this.#surroundings = surroundings;
  }

  /** @throws SystemdError `bus-unavailable` when the bus or systemd on it cannot be reached */
  static async connect(options: ManagerOptions = {}): Promise<SystemdManager> {
    const {
      socketPath = "/run/dbus/system_bus_socket",
      clock = systemClock,
      log = () => undefined,
    } = options;
    const dial = options.dial ?? ((signal: AbortSignal) => dialBus({ socketPath, signal }));
    const connection = await ManagerConnection.open({ dial, clock, log }, options.signal);
    const manager = new SystemdManager(connection, { clock, log });
    await connection.subscribe({ sender: SYSTEMD, interface: MANAGER }, (signal) => manager.#receive(signal));
    connection.onUp(() => manager.#cameBack());
    return manager;
  }

  /** Starts the unit, and waits until it is up or will not be. @throws SystemdError, `timeout` among others */
  startUnit(name: string, options: JobOptions = {}): Promise<JobOutcome> {
    return this.#runJob("StartUnit", name, options);
  }

  /** Stops the unit, and waits until it is down. */
  stopUnit(name: string, options: JobOptions = {}): Promise<JobOutcome> {
    return this.#runJob("StopUnit", name, options);
  }

  /** Stops and starts the unit, or starts it; a running unit gets a new invocation. */
  restartUnit(name: string, options: JobOptions = {}): Promise<JobOutcome> {
    return this.#runJob("RestartUnit", name, options);
  }

  /** Asks the unit to read its own configuration again (`ExecReload=`). */
  reloadUnit(name: string, options: JobOptions = {}): Promise<JobOutcome> {
    return this.#runJob("ReloadUnit", name, options);
  }

  /** Reloads the unit if it can do that, restarts it otherwise. */
  reloadOrRestartUnit(name: string, options: JobOptions = {}): Promise<JobOutcome> {
    return this.#runJob("ReloadOrRestartUnit", name, options);
  }

  /** Sends a signal (its number) to processes of the unit. */
  async killUnit(
    name: string,
    signal: number,
    whom: KillWhom = "all",
    options: CallOptions = {},
  ): Promise<void> {
    await this.#call("KillUnit", { signature: "ssi", body: [name, whom, signal], ...options });
  }

  /** Forgets that a unit failed, and its count of restarts; that of all units if no name is given. */
  async resetFailed(name?: string, options: CallOptions = {}): Promise<void> {
    if (name === undefined) await this.#call("ResetFailed", options);
    else await this.#call("ResetFailedUnit", { signature: "s", body: [name], ...options });
  }

  /** Takes a queued or running job back; whoever waits for it gets `canceled`. */
  async cancelJob(job: number, options: CallOptions = {}): Promise<void> {
    await this.#call("CancelJob", { signature: "u", body: [job], ...options });
  }

  /** Reads all unit files again and runs the generators (`systemctl daemon-reload`). Allows 90 s. */
  async reload(options: CallOptions = {}): Promise<void> {
    await this.#call("Reload", { timeoutMs: 90_000, ...options });
  }

  /** Starts the manager's own program anew (`systemctl daemon-reexec`) and waits until it answers. */
  async reexecute(options: CallOptions = {}): Promise<void> {
    try {
      await this.#call("Reexecute", options);
    } catch (error) {
      const unanswered =
        error instanceof SystemdError && error.dbusName === "org.freedesktop.DBus.Error.NoReply";
      if (!unanswered) throw error;
    }
    await this.systemState(options);
  }

  /** Makes units start with what their [Install] section names; until the next boot unless `runtime` is false. */
  async enable(files: readonly string[], options: CallOptions & EnableOptions = {}): Promise<void> {
    const { runtime = true, force = false, ...rest } = options;
    await this.#call("EnableUnitFiles", { signature: "asbb", body: [files, runtime, force], ...rest });
  }

  /** The inverse of {@link enable}. */
  async disable(
    files: readonly string[],
    options: CallOptions & Pick<EnableOptions, "runtime"> = {},
  ): Promise<void> {
    const { runtime = true, ...rest } = options;
    await this.#call("DisableUnitFiles", { signature: "asb", body: [files, runtime], ...rest });
  }

  /** The loaded units that fit any of the names and shell patterns; all loaded units if none are given. */
  async listUnits(patterns: readonly string[] = [], options: CallOptions = {}): Promise<UnitListing[]> {
    const [rows] = await this.#call("ListUnitsByPatterns", {
      signature: "asas",
      body: [[], patterns],
      ...options,
    });
    return unitListings(rows);
  }

  /** All about one unit, which is loaded for it if need be; `load` is `not-found` if there is no such unit. */
  async unitState(name: string, options: CallOptions = {}): Promise<UnitState> {
    return unitState(name, await this.#readProperties(name, "all", options));
  }

  async systemState(options: CallOptions = {}): Promise<SystemState> {
    const [state] = await this.#connection.call({
      path: MANAGER_PATH,
      interface: PROPERTIES,
      member: "Get",
      signature: "ss",
      body: [MANAGER, "SystemState"],
      ...options,
    });
    return String(state);
  }

  /**
   * Follows units until the signal aborts, the watch or the manager is disposed of. Resolves once `onChange` has
   * been told all that is there.
   */
  async watchUnits(options: WatchOptions): Promise<AsyncDisposable> {
    this.#watchingUnits ??= this.#connection.subscribe(
      {
        sender: SYSTEMD,
        interface: PROPERTIES,
        member: "PropertiesChanged",
        pathNamespace: `${MANAGER_PATH}/unit`,
      },
      (signal) => this.#receive(signal),
    );
    await this.#watchingUnits;
    const reader: UnitReader = {
      listUnits: (patterns, signal) => this.listUnits(patterns, { signal }),
      readProperties: (name, extent, signal) => this.#readProperties(name, extent, { signal }),
    };
    const watch = new UnitWatch(options, reader, this.#surroundings);
    this.#watches.add(watch);
    options.signal?.addEventListener("abort", () => this.#watches.delete(watch), { once: true });
    try {
      await watch.start();
    } catch (error) {
      this.#watches.delete(watch);
      throw error;
    }
    return {
      [Symbol.asyncDispose]: () => {
        this.#watches.delete(watch);
        return watch[Symbol.asyncDispose]();
      },
    };
  }

  /** Everything that is under way is refused with `aborted`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#gone.abort(new SystemdError("aborted", "the systemd client was disposed of"));
    const watches = [...this.#watches].map((watch) => watch[Symbol.asyncDispose]());
    await this.#connection[Symbol.asyncDispose]();
    await Promise.all(watches);
  }

  async #runJob(method: JobMethod, name: string, options: JobOptions): Promise<JobOutcome> {
    parseUnitName(name);
    const { timeoutMs = JOB_TIMEOUT_MS, mode = "replace" } = options;
    using deadline = new Deadline(timeoutMs, options.signal, this.#gone.signal);
    const { signal } = deadline;
    try {
      const call = { signature: "ss", body: [name, mode], signal };
      return await this.#jobs.run(name, async () => String((await this.#call(method, call))[0]), signal);
    } catch (cause) {
      if (!deadline.expired) throw cause;
      throw new SystemdError("timeout", `${method} of ${name} did not end within ${timeoutMs} ms`, { cause });
    }
  }

  async #call(
    member: string,
    call: CallOptions & { readonly signature?: string; readonly body?: readonly unknown[] },
  ): Promise<readonly unknown[]> {
    try {
      return await this.#connection.call({ member, ...call });
    } catch (error) {
      if (error instanceof SystemdError && error.dbusName === "org.freedesktop.systemd1.NoSuchUnit") {
        const { dbusName } = error;
        throw new SystemdError("unknown-unit", error.reason, { cause: error, dbusName });
      }
      throw error;
    }
  }

  async #readProperties(name: string, extent: Extent, options: CallOptions = {}): Promise<Properties> {
    const path = unitPath(name);
    const interfaces = extent === "all" ? [UNIT, ...typeInterface(name)] : [UNIT];
    const read = interfaces.map(async (of) => {
      const call = { path, interface: PROPERTIES, member: "GetAll", signature: "s", body: [of], ...options };
      const [properties] = await this.#connection.call(call);
      return keptProperties(properties as Properties);
    });
    return Object.assign({}, ...(await Promise.all(read))) as Properties;
  }

  #receive(signal: BusSignal): void {
    if (signal.member === "JobRemoved") {
      const [, path, , result] = signal.body;
      this.#jobs.removed(String(path), String(result));
    }
    for (const watch of this.#watches) watch.take(signal);
  }

  #cameBack(): void {
    for (const watch of this.#watches) watch.invalidate();
    this.#settleLostJobs().catch((cause: unknown) => {
      this.#surroundings.log("jobs that ended while the bus was away are not known", { cause });
    });
  }

  /** Jobs that ended unseen: what became of them is read off their units. */
  async #settleLostJobs(): Promise<void> {
    const pending = this.#jobs.pending();
    if (pending.length === 0) return;
    const [rows] = await this.#call("ListJobs", {});
    const there = new Set((rows as readonly (readonly unknown[])[]).map((row) => String(row[4])));
    const lost = pending.filter((job) => !there.has(job.path));
    await Promise.all(lost.map(async (job) => this.#jobs.removed(job.path, await this.#likelyResult(job))));
  }

  async #likelyResult(job: PendingJob): Promise<JobResult> {
    const { active } = await this.unitState(job.unit);
    return active === "failed" ? "failed" : "done";
  }
}

/** The interface with the properties of the unit's own type; targets have none of interest. */
function typeInterface(name: string): string[] {
  const { type } = parseUnitName(name);
  const typed = ["service", "socket", "timer", "path", "mount", "automount", "scope", "swap"].includes(type);
  return typed ? [`org.freedesktop.systemd1.${type[0]?.toUpperCase()}${type.slice(1)}`] : [];
}
