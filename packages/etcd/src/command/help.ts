import { FLAG_GROUPS, FLAGS, type Flag } from "./flag-table.ts";

/** The lines above the flags; `program` is what was typed to get here. */
export function usage(program: string): string {
  return `Usage:

  ${program} [flags]
    Start a single-node store that speaks etcd 3.5's API.

  ${program} --version
    Print the version.

  ${program} -h | --help
    Print all flags.

  ${program} --config-file FILE
    Read everything from a YAML file in etcd's form. Other flags and the environment then do not count.

Each flag can be given by a variable of the environment too: --data-dir by ETCD_DATA_DIR.
`;
}

/** Every flag, in etcd's groups. */
export function flagHelp(): string {
  const groups = FLAG_GROUPS.map((group) => {
    const flags = [...FLAGS.values()].filter((flag) => flag.group === group);
    return `${group}:\n${flags.map(line).join("")}`;
  });
  return groups.join("\n");
}

function line({ name, kind, fallback, help, support }: Flag): string {
  const value = kind === "ignored" ? "" : ` '${fallback}'`;
  const note =
    support === "used"
      ? ""
      : support === "peers"
        ? " Accepted, without effect: there are no other members."
        : ` Not supported: ${support.refused}.`;
  return `  --${name}${value}\n    ${help}${note}\n`;
}
