/**
 * Follows the states of units. systemd's signals carry the changed values, so most changes need no call; what
 * signals do not tell (a unit's appearance, a reload, a gap in the connection) is read anew. The last signal of a
 * change always tells the state that holds, and a slow comparison with systemd's list repairs whatever was lost.
 */
import type { BusSignal } from "./bus.ts";
import type { Clock, SystemdLog } from "./clock.ts";
import { matcher } from "./pattern.ts";
import {
  keptProperties,
  type Properties,
  sameState,
  type UnitListing,
  type UnitState,
  unitState,
} from "./unit-state.ts";
import { unitNameOfPath } from "./unit-path.ts";

/** New states by unit name; undefined for units that systemd has not loaded any more (or never had). */
export type UnitChanges = ReadonlyMap<string, UnitState | undefined>;

export interface WatchOptions {
  /** Unit names and shell patterns. */
  readonly match: readonly string[];
  /**
   * First called with all that is there, then with what has changed; never while an earlier call is still under
   * way. What it throws is logged, and the same changes are told again a second later, as they are then.
   */
  readonly onChange: (changes: UnitChanges) => void | Promise<void>;
  /** Ends the watch. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Units whose every property is read; all if not given. Of others, systemd's list tells how they are loaded and
   * active, and signals the rest, as it changes: a machine has hundreds, and reading one costs as much as its list.
   */
  readonly isDetailed?: ((name: string) => boolean) | undefined;
  /** How long changes are gathered before they are told; 50 ms if not given. */
  readonly coalesceMs?: number | undefined;
  /** How often everything is compared with systemd's list; 60 s if not given, 0 for never. */
  readonly repairMs?: number | undefined;
}

/** What the watch reads from systemd. */
export interface UnitReader {
  listUnits(patterns: readonly string[], signal: AbortSignal): Promise<readonly UnitListing[]>;
  /**
   * Properties of the unit that `unitState` looks at: those that all units have, or with those of its type, which
   * cost systemd and us four times as much. Reading loads the unit if it is not loaded.
   */
  readProperties(name: string, extent: Extent, signal: AbortSignal): Promise<Properties>;
}

export type Extent = "common" | "all";

const RETRY_MS = 1000;

interface Watched {
  properties: Properties;
  state: UnitState;
}

export class UnitWatch implements AsyncDisposable {
  readonly #options: WatchOptions;
  readonly #reader: UnitReader;
  readonly #clock: Clock;
  readonly #log: SystemdLog;
  readonly #matches: (name: string) => boolean;
  readonly #end = new AbortController();
  readonly #known = new Map<string, Watched>();
  /** Units whose change has not been told yet. */
  readonly #untold = new Set<string>();
  /** What signals told since the last round, by unit. */
  #patches = new Map<string, Properties>();
  /** Units whose existence changed since the last round. */
  #appeared = new Map<string, boolean>();
  /** Everything is to be read again: after a reload what belongs to the file, after a gap all. */
  #relist: Extent | undefined = "all";
  /** While systemd reloads it tells of every unit that it is gone and there again, which is not to be told. */
  #reloading = false;
  #wake = Promise.withResolvers<void>();
  #loop: Promise<void> | undefined;

  constructor(options: WatchOptions, reader: UnitReader, surroundings: { clock: Clock; log: SystemdLog }) {
    this.#options = options;
    this.#reader = reader;
    this.#clock = surroundings.clock;
    this.#log = surroundings.log;
    this.#matches = matcher(options.match);
    options.signal?.addEventListener("abort", () => this.#stop(), { once: true });
    if (options.signal?.aborted) this.#stop();
  }

  /** Resolves once the first states have been told. Subscriptions must be in place before. */
  async start(): Promise<void> {
    await this.#round();
    this.#loop = this.#run();
  }

  /** Takes a PropertiesChanged, UnitNew, UnitRemoved or Reloading signal. */
  take(signal: BusSignal): void {
    const { member, body } = signal;
    if (member === "PropertiesChanged") {
      const name = unitNameOfPath(signal.path);
      if (name === undefined || !this.#matches(name)) return;
      this.#patches.set(name, { ...this.#patches.get(name), ...keptProperties(body[1] as Properties) });
    } else if (member === "UnitNew" || member === "UnitRemoved") {
      const name = String(body[0]);
      if (!this.#matches(name)) return;
      this.#appeared.set(name, member === "UnitNew");
      if (member === "UnitRemoved") this.#patches.delete(name);
    } else if (member === "Reloading") {
      this.#reloading = body[0] === true;
      if (!this.#reloading) this.invalidate(this.#relist ?? "common");
    } else {
      return;
    }
    if (!this.#reloading) this.#wake.resolve();
  }

  /** Everything may have changed unseen. */
  invalidate(extent: Extent = "all"): void {
    this.#relist = extent;
    this.#reloading = false;
    this.#appeared.clear();
    this.#patches.clear();
    this.#wake.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
    await this.#loop;
  }

  #stop(): void {
    this.#end.abort();
    this.#wake.resolve();
  }

  async #run(): Promise<void> {
    const { coalesceMs = 50, repairMs = 60_000 } = this.#options;
    const { signal } = this.#end;
    while (!signal.aborted) {
      const repair = await this.#nextWake(repairMs);
      try {
        if (!repair) await this.#clock.sleep(coalesceMs, signal);
        if (repair) await this.#compare();
        else await this.#round();
      } catch (cause) {
        if (signal.aborted) return;
        this.#log("changes of units could not be read or told; this is tried again", { cause });
        await this.#clock.sleep(RETRY_MS, signal).catch(() => undefined);
        this.invalidate();
      }
    }
  }

  /** Whether it is time to compare with the list, rather than that something happened. */
  async #nextWake(repairMs: number): Promise<boolean> {
    if (repairMs === 0) {
      await this.#wake.promise;
      return false;
    }
    const stop = new AbortController();
    const due = this.#clock.sleep(repairMs, stop.signal).then(
      () => true,
      () => false,
    );
    const repair = await Promise.race([this.#wake.promise.then(() => false), due]);
    stop.abort();
    return repair;
  }

  /** Tells what has changed since the last round. */
  async #round(): Promise<void> {
    this.#wake = Promise.withResolvers();
    if (this.#reloading) return;
    const relist = this.#relist;
    const appeared = this.#appeared;
    const patches = this.#patches;
    this.#relist = undefined;
    this.#appeared = new Map();
    this.#patches = new Map();
    const toRead = new Set([...appeared].filter(([, here]) => here).map(([name]) => name));
    for (const [name, here] of appeared) if (!here) this.#forget(name);
    if (relist !== undefined) await this.#listAll(toRead);
    for (const [name, patch] of patches) {
      const known = this.#known.get(name);
      if (known === undefined) toRead.add(name);
      else if (!toRead.has(name)) this.#note(name, { ...known.properties, ...patch });
    }
    await Promise.all([...toRead].map((name) => this.#read(name, relist ?? "common")));
    await this.#tell();
  }

  async #listAll(toRead: Set<string>): Promise<void> {
    const listed = await this.#reader.listUnits(this.#options.match, this.#end.signal);
    const { isDetailed = () => true } = this.#options;
    const names = new Set(listed.map(({ name }) => name));
    for (const { name, load, active, sub } of listed) {
      if (isDetailed(name) || active === "failed" || toRead.has(name)) toRead.add(name);
      else {
        const row = { LoadState: load, ActiveState: active, SubState: sub };
        this.#note(name, { ...this.#known.get(name)?.properties, ...row });
      }
    }
    for (const name of this.#known.keys()) if (!names.has(name)) this.#forget(name);
  }

  /** Units whose row in the list is not what is known are read again. */
  async #compare(): Promise<void> {
    this.#reloading = false;
    const listed = await this.#reader.listUnits(this.#options.match, this.#end.signal);
    const names = new Set(listed.map(({ name }) => name));
    for (const { name, load, active, sub } of listed) {
      const state = this.#known.get(name)?.state;
      if (state?.load !== load || state.active !== active || state.sub !== sub)
        this.#appeared.set(name, true);
    }
    for (const name of this.#known.keys()) if (!names.has(name)) this.#appeared.set(name, false);
    if (this.#appeared.size > 0) this.#wake.resolve();
  }

  /** Without a gap, properties of the unit's type change only together with those that all units have. */
  async #read(name: string, extent: Extent): Promise<void> {
    const before = this.#known.get(name);
    const { signal } = this.#end;
    if (before !== undefined && extent === "common") {
      const common = await this.#reader.readProperties(name, "common", signal);
      const properties = { ...before.properties, ...common };
      const now = unitState(name, properties);
      const fields = ["active", "sub", "invocationId", "stateChangeUsec"] as const;
      if (fields.every((field) => now[field] === before.state[field])) return this.#note(name, properties);
    }
    this.#note(name, await this.#reader.readProperties(name, "all", signal));
  }

  #note(name: string, properties: Properties): void {
    const state = unitState(name, properties);
    if (!sameState(this.#known.get(name)?.state, state)) this.#untold.add(name);
    this.#known.set(name, { properties, state });
  }

  #forget(name: string): void {
    if (this.#known.delete(name)) this.#untold.add(name);
  }

  async #tell(): Promise<void> {
    if (this.#untold.size === 0 || this.#end.signal.aborted) return;
    const names = [...this.#untold];
    await this.#options.onChange(new Map(names.map((name) => [name, this.#known.get(name)?.state])));
    for (const name of names) this.#untold.delete(name);
  }
}
