// What deciders know of where a unit may run. placement.ts reads it from a file.
import type { Glob } from "./glob.ts";

/** A port of the host that a unit takes: two units that overlap do not fit on one machine. */
export interface HostPort {
  readonly first: number;
  readonly last: number;
  readonly protocol: "tcp" | "udp" | "sctp";
  /** The host's address; `undefined` for all. */
  readonly address: string | undefined;
}

export interface PlacementRules {
  /** Machine id, its first eight or more characters, boot id or machine name. */
  readonly machine: string | undefined;
  /** By key, the values of which the machine must have one. */
  readonly metadata: ReadonlyMap<string, readonly string[]>;
  /** Units that must be scheduled on the same machine. */
  readonly machineOf: readonly string[];
  /** Units that must not run on the same machine. */
  readonly conflicts: readonly Glob[];
  /** Units that give way to this one. */
  readonly replaces: readonly Glob[];
  /** Runs on every machine whose metadata fit. */
  readonly global: boolean;
  /** What its machine does with it when it loses the store for a lease. */
  readonly onPartition: "stop" | "keep";
  /** Replicas of a template, as its file asks for. */
  readonly replicas: number | undefined;
  readonly owner: string | undefined;
  readonly hostPorts: readonly HostPort[];
  /** Quadlet files that this one refers to, its pod excepted. */
  readonly references: readonly string[];
  /** The pod that a container belongs to: it runs where its pod runs. */
  readonly pod: string | undefined;
  /** Images that the file names itself. */
  readonly images: readonly string[];
}
