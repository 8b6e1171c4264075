import type { CommandOptions, CommandResult } from "./command.ts";

export interface MachineRequest {
  /** The machine's name and host name: m1. */
  readonly name: string;
  /** Files that the machine finds as systemd credentials, made when its address is known. */
  readonly credentials?: (
    identity: MachineIdentity,
  ) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  /** A container's are enforced where the host can; a virtual machine has so much. */
  readonly memoryBytes?: number;
  /** A virtual machine's processors; a container has all of the host's. */
  readonly processors?: number;
}

/** What a machine keeps for as long as it exists. */
export interface MachineIdentity {
  readonly name: string;
  /** Its IPv4 address. */
  readonly address: string;
  /** 32 hexadecimal digits, as in /etc/machine-id. */
  readonly machineId: string;
}

export type MachineState = "running" | "paused" | "stopped";

export interface MachineStatus extends MachineIdentity {
  readonly state: MachineState;
  /** `everything`, or the peers that it is silently cut from. */
  readonly cutFrom: "everything" | readonly string[];
  /** Whether its network cable is in. */
  readonly link: "up" | "down";
  /** Where its console's output is. */
  readonly console: string;
}

export interface ReadyOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Makes and breaks machines. State is derived from names alone, so any verb works after whoever used the
 * provider before has died at any point, and may be repeated.
 * Errors: KEEL-502 for an unknown machine, KEEL-303 when a machine does not do what is asked.
 */
export interface MachineProvider {
  readonly kind: "nspawn" | "qemu";
  /** How many times longer than a container its machines may take: bounds on waiting are multiplied by it. */
  readonly slowness: number;
  /** Makes a machine that does not run yet. */
  create(request: MachineRequest): Promise<MachineIdentity>;
  /** Starts it. A machine that runs is left alone. */
  start(name: string): Promise<void>;
  /** Waits until the machine's systemd has started everything, and says whether all of it succeeded. */
  ready(name: string, options?: ReadyOptions): Promise<"running" | "degraded">;
  /** Shuts it down in order; after the timeout it is cut off. */
  stop(name: string, options?: { readonly timeoutMs?: number }): Promise<void>;
  /** Pulls the plug: nothing in the machine gets to finish anything. */
  crash(name: string): Promise<void>;
  /** Stops its time. */
  pause(name: string): Promise<void>;
  resume(name: string): Promise<void>;
  /** Drops every packet between it and the peers (machines, or `host`), or all its packets. Nobody is told. */
  cut(name: string, peers?: readonly string[]): Promise<void>;
  /** Ends its cuts, or those from the peers. */
  heal(name: string, peers?: readonly string[]): Promise<void>;
  /** Pulls the network cable: the machine notices. */
  linkDown(name: string): Promise<void>;
  linkUp(name: string): Promise<void>;
  /** Removes it with all it holds. A machine that does not exist is fine. */
  destroy(name: string): Promise<void>;
  list(): Promise<MachineStatus[]>;
  /** Removes what is left of machines that were half made, half destroyed or have died. */
  collectGarbage(): Promise<void>;
  /** Runs a command in the machine, past its network. */
  exec(name: string, argv: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** The host's argv that runs a command in the machine: to be spawned with a terminal. */
  execCommand(name: string, argv: readonly string[]): Promise<string[]>;
}
