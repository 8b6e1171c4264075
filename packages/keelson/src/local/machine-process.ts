// A running machine seen from the host: its first process, and commands run beside it.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { groupProcesses } from "./cgroup.ts";

/** The folder of the machine's own control groups: the one that it sees as /sys/fs/cgroup. */
export function payloadFolder(scopeFolder: string): string | undefined {
  return [join(scopeFolder, "run/payload"), join(scopeFolder, "payload")].find((folder) =>
    existsSync(folder),
  );
}

/** The machine's PID 1 as the host numbers it; undefined until there is one. */
export async function machineInit(scopeFolder: string): Promise<number | undefined> {
  const payload = payloadFolder(scopeFolder);
  if (payload === undefined) return undefined;
  const scope = join(payload, "init.scope");
  for (const pid of await groupProcesses(existsSync(scope) ? scope : payload)) {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    if (/^NSpid:\s.*\s1$/m.test(status)) return pid;
  }
  return undefined;
}

/** Whether the machine's systemd takes questions yet. */
export function managerAnswers(init: number): boolean {
  return existsSync(`/proc/${init}/root/run/systemd/private`);
}

const environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "HOME=/root", "LANG=C.UTF-8"];

/**
 * The argv that runs a command in the machine. The command is put into the machine's control group, so that
 * it is paused and killed with the machine.
 *
 * A shell forks it into the machine's PID namespace, and not nsenter: that one stops itself when its child is
 * stopped, as systemd stops everything for a moment when it shuts down, and would never collect it then; the
 * machine's shutdown would wait for it.
 */
export function enterCommand(
  scopeFolder: string,
  init: number,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): string[] {
  const group = join(payloadFolder(scopeFolder) ?? scopeFolder, "exec.scope");
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const joinGroup = ["/bin/sh", "-c", joinScript, group];
  const namespaces = "--mount --uts --ipc --net --pid --no-fork --cgroup --root --wd".split(" ");
  const enter = ["nsenter", `--target=${init}`, ...namespaces, "--"];
  const child = ["/bin/sh", "-c", '"$@"; exit "$?"', "keelson"];
  return [...joinGroup, ...enter, "env", "-i", ...environment, ...variables, ...child, ...argv];
}

// Somebody may remove the group between its making and the joining, since it is empty.
const joinScript = `
for _ in 1 2 3 4 5; do
	mkdir -p "$0" && { echo 0 >"$0/cgroup.procs"; } 2>/dev/null && break
done
exec "$@"
`;
