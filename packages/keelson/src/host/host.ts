// What the agent asks of a machine. linux-host.ts answers it with systemd, podman and files; a simulation
// answers it from memory. This interface is the only way to systemd, podman and the disk of a machine.
// Unit names here are the file's names (`web@1.container`): the service that podman's generator makes of a
// Quadlet is found behind them.
import type { Machine } from "../model/machine.ts";
import type { HealthProbe } from "../model/placement/rules.ts";
import type { DesiredState } from "../model/unit.ts";

/** What a machine is. Read once at start. */
export interface HostFacts {
  readonly machineId: string;
  readonly bootId: string;
  readonly hostname: string;
  readonly capacity: Machine["capacity"];
  readonly os: Machine["os"];
}

/** A unit file that the agent wrote. */
export interface WrittenUnit {
  readonly name: string;
  /** SHA-256 of what lies there now; empty when the file is gone. */
  readonly hash: string;
  /** systemd's unit that it becomes: the name itself, or the service of a Quadlet. */
  readonly service: string;
  /** Its [Install] section was carried out, until the next boot. */
  readonly enabled: boolean;
  /** What the agent noted with `write` or `note`. */
  readonly note: UnitNote;
}

/** What must survive the daemon's restart about a unit: the order that was carried out last. */
export interface UnitNote {
  /** Of the file; empty while nothing has been carried out. */
  readonly hash: string;
  readonly desired: DesiredState;
  readonly restarts: number;
  /** To be stopped when this machine loses the store. */
  readonly fenced: boolean;
  /** Of a unit that runs to its end: the attempt that was begun last, which is never begun again. */
  readonly run?: RunNote;
  /** With `write`, of an `.image`: the name of its image when that is here already and is not to be pulled. */
  readonly localImage?: string;
}

/** One attempt of a run. */
export interface RunNote {
  /** As the order names it. */
  readonly id: string;
  /** Unix milliseconds. */
  readonly begun: number;
  /** systemd's invocation, once it is known. */
  readonly invocation: string;
  readonly ended?: RunEnd;
}

export interface RunEnd {
  /** Unix milliseconds. */
  readonly at: number;
  readonly result: "succeeded" | "failed";
  /** Exit status, where there is one. */
  readonly status?: number;
  /** Why it failed, in words; empty for success. */
  readonly reason: string;
  /** The machine itself stopped it, since it lost the store. */
  readonly givenUp?: boolean;
}

/** How a start job ended, as systemd has noted it: it forgets the unit itself when that ended well. */
export interface StartEnding {
  /** Unix milliseconds. */
  readonly at: number;
  readonly succeeded: boolean;
  readonly invocation: string;
}

/** systemd's words about a unit. */
export interface UnitState {
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  /** 32 hexadecimal digits, new for every start; empty when it never ran. */
  readonly invocation: string;
  /** Unix milliseconds of the last change of state; 0 when there was none. */
  readonly since: number;
  /** Why it failed or could not be loaded, in words: "exit status 1", "killed by SIGKILL". Empty otherwise. */
  readonly reason: string;
  /** How often systemd has restarted it by itself since it was started. */
  readonly restarts: number;
  /** Exit status of the main process that ended last, while systemd remembers it. */
  readonly status?: number;
}

/** What a check may take. */
export interface ProbeLimits {
  readonly timeoutMs: number;
  /** The machine's address, for checks that name no host and find nobody on its loopback. */
  readonly machine: string;
  readonly signal: AbortSignal;
}

/** How a check ended; `reason` in words: "GET :8080/healthz: 503". */
export type ProbeAnswer = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** How an action ended. */
export type JobOutcome =
  | { readonly done: true }
  /**
   * `failed`: the unit itself failed or cannot be loaded, so that the same again would give the same.
   * `stuck`: it cannot run as things stand on this machine; the same again may do when they have changed.
   */
  | { readonly done: false; readonly reason: string; readonly failed: boolean; readonly stuck?: boolean };

export type UnitAction = "start" | "stop" | "restart";

export interface ContainerFacts {
  /** podman's word for the health check: starting, healthy, unhealthy; empty without one. */
  readonly health: string;
  readonly published: readonly PublishedAddress[];
}

export interface PublishedAddress {
  /** Empty for all addresses of the machine. */
  readonly address: string;
  /** With the port that podman chose, where it was left to it. */
  readonly port: number;
  readonly protocol: string;
}

export interface ImageArchive {
  /** SHA-256 of the archive. */
  readonly sha256: string;
  readonly bytes: number;
  /** Where it can be had, in the order to try. */
  readonly urls: readonly string[];
}

/** The order to the fence, a program of its own that stops units when the deadline passes. */
export interface FenceOrder {
  /** Seconds on the clock of `uptimeSeconds`; undefined when nothing is to be fenced. */
  readonly deadline: number | undefined;
  /** Units, as the agent calls them. */
  readonly units: readonly string[];
}

export interface Host extends AsyncDisposable {
  facts(): Promise<HostFacts>;

  /** What the agent has written on this machine since its boot. */
  written(): Promise<ReadonlyMap<string, WrittenUnit>>;
  /**
   * Puts a unit file in place, atomically, and carries out its [Install] section. `reload` says whether the
   * manager must be reloaded before the unit can be started. Rejects with KEEL-505 when the machine has a unit
   * of this name that is not the agent's, and with KEEL-101 when podman could not read the file.
   */
  write(
    name: string,
    body: string,
    note: UnitNote,
  ): Promise<{ readonly unit: WrittenUnit; readonly reload: boolean }>;
  note(name: string, note: UnitNote): Promise<void>;
  /** A file that the agent wrote; undefined when it is gone. */
  body(name: string): Promise<string | undefined>;
  /** Takes the file away. `reload` as above. Not an error when it is gone already. */
  remove(name: string): Promise<{ readonly reload: boolean }>;

  /** Reloads the manager. Calls within 50 ms share one reload. Rejects when it fails. */
  reload(): Promise<void>;
  /** Carries an action out and waits for its end, or until the signal aborts. Does not reject for refusals. */
  act(action: UnitAction, name: string, signal: AbortSignal): Promise<JobOutcome>;
  /** SIGKILL to all that runs in the unit. */
  kill(name: string): Promise<void>;
  resetFailed(name: string): Promise<void>;

  /** States of units that the agent wrote. One that systemd does not know has the load state `not-found`. */
  states(names: Iterable<string>): ReadonlyMap<string, UnitState>;
  /** Calls back with units whose state has changed, a few milliseconds late and not once per signal. */
  onChange(listener: (names: readonly string[]) => void): () => void;
  /** How the last start job since then ended; `undefined` when nothing is known of one. */
  startEnding(name: string, sinceMs: number): Promise<StartEnding | undefined>;
  /** The last line that the unit wrote to the journal; empty when there is none. */
  lastLine(name: string): Promise<string>;

  /** The containers of these units, one call for all; units without a container are left out. */
  containers(names: readonly string[]): Promise<ReadonlyMap<string, ContainerFacts>>;
  /**
   * Looks once whether a unit is well; a command of a `.container` runs in its container, any other on the machine.
   * Rejects only with the signal's reason.
   */
  probe(name: string, probe: HealthProbe, limits: ProbeLimits): Promise<ProbeAnswer>;
  /** podman's id (SHA-256 of the configuration) of a local image; undefined when it is not there. */
  imageId(reference: string): Promise<string | undefined>;
  /** Fetches an image archive, checks size and hash, and loads it. Rejects with KEEL-107 when it is not sound. */
  loadImage(archive: ImageArchive, signal: AbortSignal): Promise<void>;

  /** Seconds since boot on the clock of /proc/uptime, which the fence reads too. */
  uptimeSeconds(): number;
  readFenceDeadline(): Promise<number | undefined>;
  /** When the fence last began to stop units, on the same clock; undefined when it never has since the boot. */
  lastFenced(): Promise<number | undefined>;
  writeFence(order: FenceOrder): Promise<void>;
  /** A small text that survives the daemon's restart but not the machine's. */
  readState(name: string): Promise<string | undefined>;
  writeState(name: string, text: string): Promise<void>;
  /** Whether the machine itself is shutting down. */
  isShuttingDown(): Promise<boolean>;
}
