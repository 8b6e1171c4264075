// The store as a command: etcd's flags and environment, etcd's log.

export { FlagError } from "./flag-error.ts";
export { FLAG_GROUPS, FLAGS, variableOf, type Flag, type FlagGroup, type FlagSupport } from "./flag-table.ts";
export { runStore, type CommandSurroundings } from "./run.ts";
