// What the agent asks of a machine. linux-host.ts answers it with systemd, podman and files; a simulation
// answers it from memory. This interface is the only way to systemd, podman and the disk of a machine.
// Unit names here are the file's names (`web@1.container`); calls about units take them as they are and
// find the service that podman's generator makes of a Quadlet.
import type { Machine } from "../model/machine.ts";

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
  /** SHA-256 of its content. */
  readonly hash: string;
  /** systemd's unit that it becomes: the name itself, or the service of a Quadlet. */
  readonly service: string;
  /** `NAME.wants/` and `NAME.requires/` links made for its [Install] section, and aliases: absolute paths. */
  readonly links: readonly string[];
  /** Restarts that have been carried out. */
  readonly restarts: number;
}

/** systemd's words about a unit. */
export interface UnitState {
  /** As the agent calls it: the file's name. */
  readonly name: string;
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  /** 32 hexadecimal digits, new for every start; empty when it never ran. */
  readonly invocation: string;
  /** Unix milliseconds of the last change of state. */
  readonly since: number;
  /** Why it failed, in words: "exit status 1", "killed by signal 9", "the start timed out". Empty otherwise. */
  readonly reason: string;
}

/** How an action on a unit ended; `reason` is empty when it did what was asked. */
export interface JobOutcome {
  readonly done: boolean;
  readonly reason: string;
}

export type UnitAction = "start" | "stop" | "restart";

export interface ContainerFacts {
  /** podman's word for the container's health check: starting, healthy, unhealthy; empty without one. */
  readonly health: string;
  /** `address:port` of every published port, with the port that podman chose. An address of "" is all. */
  readonly published: readonly {
    readonly address: string;
    readonly port: number;
    readonly protocol: string;
  }[];
}

export interface ImageArchive {
  /** SHA-256 of the archive. */
  readonly sha256: string;
  readonly bytes: number;
  /** Where it can be had, in the order to try. */
  readonly urls: readonly string[];
}

/** The order to the fence, which stops units by itself when the deadline passes and nobody moved it. */
export interface FenceOrder {
  /** Seconds of /proc/uptime; undefined when nothing is to be fenced. */
  readonly deadline: number | undefined;
  /** systemd's names of the units that it stops. */
  readonly services: readonly string[];
}

export interface Host extends AsyncDisposable {
  facts(): Promise<HostFacts>;

  /** What the agent has written on this machine since its boot, from the manifest. */
  written(): Promise<ReadonlyMap<string, WrittenUnit>>;
  /**
   * Puts a unit file in place, atomically. `reload` says whether the manager must be reloaded before the unit
   * can be started. The file of another (not in the manifest) is refused with KEEL-505.
   */
  write(name: string, body: string): Promise<{ readonly unit: WrittenUnit; readonly reload: boolean }>;
  /** Takes the file and its links away. `reload` as above. Not an error when it is gone already. */
  remove(name: string): Promise<{ readonly reload: boolean }>;
  /** Notes in the manifest that these restarts have been carried out. */
  noteRestarts(name: string, restarts: number): Promise<void>;

  /** Reloads the manager. Calls within 50 ms of each other share one reload. Rejects when it fails. */
  reload(): Promise<void>;
  /** Carries an action out and waits for its job to end. Never rejects for what systemd refuses. */
  act(action: UnitAction, name: string, signal: AbortSignal): Promise<JobOutcome>;
  /** SIGKILL to all processes of the unit. */
  kill(name: string): Promise<void>;
  resetFailed(name: string): Promise<void>;

  /** State of these units now, from systemd. A unit that it does not know has the load state `not-found`. */
  states(names: readonly string[]): Promise<ReadonlyMap<string, UnitState>>;
  /**
   * Calls back with units whose state may have changed, a few milliseconds late and not once per signal;
   * with undefined after the connection to systemd was lost and is back: all may have changed.
   */
  onChange(listener: (names: readonly string[] | undefined) => void): () => void;

  /** Facts of a container unit's container; undefined for other units and when there is none. */
  container(name: string): Promise<ContainerFacts | undefined>;
  /** podman's id (SHA-256 of the configuration) of a local image; undefined when it is not there. */
  imageId(reference: string): Promise<string | undefined>;
  /** Fetches an image archive, checks size and hash, and loads it. Rejects with KEEL-107 when it is not sound. */
  loadImage(archive: ImageArchive, signal: AbortSignal): Promise<void>;

  /** Seconds since boot on the clock of /proc/uptime, which the fence reads too. */
  uptimeSeconds(): number;
  writeFence(order: FenceOrder): Promise<void>;
  /** Whether the machine itself is shutting down. */
  isShuttingDown(): Promise<boolean>;
}
