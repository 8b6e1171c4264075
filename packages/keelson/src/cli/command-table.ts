// Every command by name, without loading any. `keel --help` and completion are printed from here alone.
import type { Register } from "./invocation.ts";

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly group: CommandGroup;
  readonly hidden?: boolean;
  readonly load: () => Promise<{ readonly register: Register }>;
}

export const commandGroups = ["Cluster", "Units", "Look", "Machines", "Operations", "Help"] as const;
export type CommandGroup = (typeof commandGroups)[number];

const entry = (
  group: CommandGroup,
  name: string,
  summary: string,
  load: CommandEntry["load"],
): CommandEntry => ({ group, name, summary, load });

export const commandTable: readonly CommandEntry[] = [
  entry("Cluster", "up", "Start a local cluster, or repair it", () => import("./commands/up.ts")),
  entry("Cluster", "down", "Remove a local cluster and everything of it", () => import("./commands/down.ts")),
  entry("Cluster", "cluster", "List local clusters", () => import("./commands/cluster.ts")),
  entry(
    "Cluster",
    "cache",
    "Show or empty what is kept for the next time",
    () => import("./commands/cache.ts"),
  ),
  entry("Cluster", "doctor", "Check the host and the cluster", () => import("./commands/doctor.ts")),
  entry(
    "Cluster",
    "discovery",
    "Serve and use discovery for etcd clusters",
    () => import("./commands/discovery.ts"),
  ),
  entry(
    "Cluster",
    "rebalance",
    "Move units to machines that have fewer",
    () => import("./commands/rebalance.ts"),
  ),
  entry(
    "Cluster",
    "settings",
    "Show or change settings of the cluster",
    () => import("./commands/settings.ts"),
  ),
  entry("Cluster", "store", "Look after the store", () => import("./commands/store.ts")),
  entry(
    "Cluster",
    "overhead",
    "Measure what Keelson costs on this host",
    () => import("./commands/overhead.ts"),
  ),

  entry("Units", "run", "Run an image, on one machine or several", () => import("./commands/run.ts")),
  entry("Units", "submit", "Hand in unit files", () => import("./commands/submit.ts")),
  entry("Units", "load", "Hand in unit files and place them", () => import("./commands/load.ts")),
  entry("Units", "start", "Start units, or unit files", () => import("./commands/start.ts")),
  entry("Units", "stop", "Stop units; they keep their place", () => import("./commands/stop.ts")),
  entry("Units", "restart", "Restart units and prove it", () => import("./commands/restart.ts")),
  entry(
    "Units",
    "unload",
    "Stop units and take them off their machines",
    () => import("./commands/unload.ts"),
  ),
  entry("Units", "destroy", "Destroy units; undo brings them back", () => import("./commands/destroy.ts")),
  entry("Units", "scale", "Set the number of a template’s replicas", () => import("./commands/scale.ts")),
  entry("Units", "import", "Write the Quadlet files of a Compose file", () => import("./commands/import.ts")),
  entry(
    "Units",
    "export",
    "Write unit files for a machine without Keelson",
    () => import("./commands/export.ts"),
  ),
  entry("Units", "update", "Replace a unit’s file, batch by batch", () => import("./commands/update.ts")),
  entry(
    "Units",
    "rollout",
    "Show, pause, resume or stop the way to a new version",
    () => import("./commands/rollout.ts"),
  ),
  entry("Units", "rollback", "Go back to an earlier version", () => import("./commands/rollback.ts")),
  entry("Units", "verify", "Check unit files and change nothing", () => import("./commands/verify.ts")),
  entry("Units", "image", "Load and list image archives", () => import("./commands/image.ts")),

  entry("Look", "list-units", "List what is on which machine", () => import("./commands/list-units.ts")),
  entry(
    "Look",
    "list-unit-files",
    "List units and their states",
    () => import("./commands/list-unit-files.ts"),
  ),
  entry("Look", "cat", "Print unit files, byte for byte", () => import("./commands/cat.ts")),
  entry("Look", "versions", "List the versions of a unit’s file", () => import("./commands/versions.ts")),
  entry("Look", "diff", "Show how versions of a unit’s file differ", () => import("./commands/diff.ts")),
  entry("Look", "status", "Show systemd’s view of units", () => import("./commands/status.ts")),
  entry("Look", "journal", "Show the journal of units", () => import("./commands/journal.ts")),
  entry("Look", "why", "Say why a unit is where it is, or why not", () => import("./commands/why.ts")),
  entry("Look", "jobs", "List what runs to its end, and how it went", () => import("./commands/jobs.ts")),
  entry("Look", "runs", "Show the runs of units that run to their end", () => import("./commands/runs.ts")),
  entry("Look", "timers", "List the timers of the cluster", () => import("./commands/timers.ts")),
  entry("Look", "events", "Tell what happened, and why", () => import("./commands/events.ts")),
  entry(
    "Look",
    "timeline",
    "Show each step of a unit’s latest change",
    () => import("./commands/timeline.ts"),
  ),
  entry(
    "Look",
    "what-if",
    "Foretell what a loss or a change would do",
    () => import("./commands/what-if.ts"),
  ),
  entry("Look", "ssh", "Open a shell or run a command on a machine", () => import("./commands/ssh.ts")),
  entry("Look", "exec", "Run a command beside or inside a unit", () => import("./commands/exec.ts")),

  entry("Machines", "list-machines", "List the machines", () => import("./commands/list-machines.ts")),
  entry(
    "Machines",
    "machine",
    "Add, kill, stop, pause, cut, remove machines",
    () => import("./commands/machine.ts"),
  ),
  entry(
    "Machines",
    "os",
    "Build, update and look after the operating system",
    () => import("./commands/os.ts"),
  ),

  entry("Operations", "undo", "Take an operation back", () => import("./commands/undo.ts")),
  entry("Operations", "op", "List, show and purge operations", () => import("./commands/op.ts")),

  entry("Help", "explain", "Explain an error code", () => import("./commands/explain.ts")),
  entry("Help", "completion", "Print completion for a shell", () => import("./commands/completion.ts")),
  entry("Help", "version", "Print the version", () => import("./commands/version.ts")),
  {
    ...entry(
      "Help",
      "fd-forward",
      "Join input and output to a socket, for tunnels",
      () => import("./commands/fd-forward.ts"),
    ),
    hidden: true,
  },
  {
    ...entry(
      "Help",
      "complete",
      "Candidates for the word being typed",
      () => import("./commands/complete.ts"),
    ),
    hidden: true,
  },
];

/** Other names under which commands are known: fleetctl has none, these are what people type. */
export const commandAliases: Readonly<Record<string, string>> = {
  ls: "list-units",
  ps: "list-units",
  rm: "destroy",
  logs: "journal",
  machines: "list-machines",
  units: "list-unit-files",
};

/** What fleetctl calls its commands: all of them are commands here. */
export const fleetVerbs: readonly string[] = [
  "cat",
  "destroy",
  "fd-forward",
  "help",
  "journal",
  "list-machines",
  "list-unit-files",
  "list-units",
  "load",
  "restart",
  "ssh",
  "start",
  "status",
  "stop",
  "submit",
  "unload",
  "verify",
  "version",
];
