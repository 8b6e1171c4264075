// What a machine is told at its first boot, whichever language it was written in. Texts may still hold
// `$private_ipv4` and its like: see apply/addresses.ts.
import type { Place } from "./reading/findings.ts";

export interface MachineConfig {
  readonly hostname?: string;
  /** The machine's own name stands in /etc/hosts with 127.0.1.1. */
  readonly managesHosts: boolean;
  readonly groups: readonly GroupConfig[];
  readonly users: readonly UserConfig[];
  /** Keys with which root may log in. */
  readonly rootKeys: readonly string[];
  readonly directories: readonly DirectoryConfig[];
  readonly files: readonly FileConfig[];
  readonly links: readonly LinkConfig[];
  readonly units: readonly UnitConfig[];
  readonly keelson?: KeelsonConfig;
  readonly update?: UpdateConfig;
}

export const emptyConfig: MachineConfig = {
  managesHosts: false,
  groups: [],
  users: [],
  rootKeys: [],
  directories: [],
  files: [],
  links: [],
  units: [],
};

export interface GroupConfig {
  readonly name: string;
  readonly gid?: number;
  readonly members: readonly string[];
  readonly system: boolean;
}

export interface UserConfig {
  readonly name: string;
  readonly uid?: number;
  /** In the form of crypt(5). A secret. */
  readonly passwordHash?: string;
  readonly keys: readonly string[];
  readonly gecos?: string;
  readonly home?: string;
  readonly createsHome: boolean;
  readonly primaryGroup?: string;
  readonly groups: readonly string[];
  /** A group of the user's own name. */
  readonly ownGroup: boolean;
  readonly system: boolean;
  readonly shell?: string;
}

/** By name or number; root unless given. */
export interface Ownership {
  readonly user: string | number;
  readonly group: string | number;
}

interface Placed extends Ownership {
  readonly path: string;
  readonly mode: number;
  /** Where the configuration says so. */
  readonly place: Place;
}

export interface FileConfig extends Placed {
  readonly content: Uint8Array;
  /** Whether `$private_ipv4` stands for an address in it. */
  readonly substitutes: boolean;
  /** Added to what is there instead of replacing it. */
  readonly append: boolean;
  /** What is there already is left alone: Ignition's `overwrite` is false unless given. */
  readonly keepsExisting: boolean;
}

export type DirectoryConfig = Placed;

export interface LinkConfig extends Ownership {
  readonly path: string;
  readonly target: string;
  readonly hard: boolean;
  readonly place: Place;
}

export const unitCommands = [
  "start",
  "stop",
  "restart",
  "reload",
  "try-restart",
  "reload-or-restart",
  "reload-or-try-restart",
] as const;
export type UnitCommand = (typeof unitCommands)[number];

export interface UnitConfig {
  readonly name: string;
  readonly content?: string;
  readonly dropIns: readonly { readonly name: string; readonly content: string }[];
  /** Undefined leaves it as it is. */
  readonly enabled?: boolean;
  readonly masked: boolean;
  /** Until the next boot only. */
  readonly runtime: boolean;
  readonly command?: UnitCommand;
}

export interface KeelsonConfig {
  readonly cluster: string;
  readonly name?: string;
  readonly roles: readonly string[];
  /** `http://host:port` of the store's members. */
  readonly endpoints: readonly string[];
  /** A discovery URL with its token. Whoever knows it can read and change it: a secret. */
  readonly discovery?: string;
  /** Under which others reach this machine; found out unless given. */
  readonly address?: string;
  /** Whose address it is. */
  readonly interface?: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly reserve?: { readonly memoryBytes?: number; readonly cpus?: number };
  /** Text of the credential `keelson.store`. A secret. */
  readonly store?: string;
}

export const rebootStrategies = ["cluster", "immediate", "off"] as const;
export type RebootStrategy = (typeof rebootStrategies)[number];

/** How a machine comes to new versions of its system. Written to /etc/keelson/update.json. */
export interface UpdateConfig {
  readonly group?: string;
  readonly channel?: string;
  /** Where releases are: an http(s) URL, or a folder. */
  readonly source?: string;
  /** `cluster`: in turn, drained first. `immediate`: when the update is ready. */
  readonly reboot?: RebootStrategy;
  /** When the machine may restart by itself. */
  readonly window?: RebootWindow;
}

export interface RebootWindow {
  /** Every day when empty. */
  readonly days: readonly Weekday[];
  /** `HH:MM`, UTC. */
  readonly start: string;
  readonly minutes: number;
}

export const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Weekday = (typeof weekdays)[number];
