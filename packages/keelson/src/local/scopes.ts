import type { ScopeName } from "./names.ts";

export interface ScopeCommand {
  readonly argv: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Both outputs go here; what the file held is gone. */
  readonly logFile: string;
  readonly cwd?: string;
  readonly memoryBytes?: number;
  /** The command is run again when it ends with this exit code: how nspawn says that its machine reboots. */
  readonly againOn?: number;
}

/**
 * Contains long-lived processes of clusters, each scope as a whole: a machine, or keeld on the host. Scopes
 * outlive the program that started them and are found again by name. Two forms: control groups of our own,
 * and units where systemd is the host's PID 1.
 */
export interface Scopes {
  readonly form: "cgroups" | "systemd";
  /** Starts the command in a scope of its own. The scope must not be running. */
  start(scope: ScopeName, command: ScopeCommand): Promise<void>;
  /** The scope's folder in cgroup2; undefined when it does not run. */
  folder(scope: ScopeName): Promise<string | undefined>;
  /** Kills what is left and removes every trace of the scope. */
  remove(scope: ScopeName): Promise<void>;
  /** Scopes of which anything exists, running or not. */
  list(cluster: string): Promise<ScopeName[]>;
  /** Clusters of which anything exists. */
  clusters(): Promise<string[]>;
  /** Removes what holds a cluster's scopes once they are gone. */
  removeCluster(cluster: string): Promise<void>;
}
