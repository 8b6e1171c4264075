// Scopes where no systemd runs the host: one control group for each, in cgroup2 and, where the host still
// has version 1 hierarchies, at the same path in those. nspawn keeps name=systemd and cgroup2 apart
// otherwise, and machines would see each other's units.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KeelError } from "../base/errors.ts";
import { isPopulated, killGroup, limitMemory, makeGroup, removeGroup, setFrozen } from "./cgroup.ts";
import type { Hierarchies } from "./cgroup.ts";
import { cgroupPath, scopeOfFolder } from "./names.ts";
import type { ScopeName } from "./names.ts";
import type { ScopeCommand, Scopes } from "./scopes.ts";

// $1 is the exit code on which the command is run again, or `never`; then come the groups to join, `--` and
// the command. The one who waits to run it again stays in a group beside, since a group whose controllers
// are handed down may hold no process of its own.
const enter = `
again=$1 keeper=$2
shift 2
join() {
	while [ "$1" != -- ]; do echo 0 >"$1" || exit 97; shift; done
	shift
	exec "$@"
}
[ "$again" = never ] && join "$@"
echo 0 >"$keeper" || exit 97
while (join "$@"); code=$?; [ "$code" = "$again" ]; do :; done
exit "$code"
`;

export class CgroupScopes implements Scopes {
  readonly form = "cgroups";
  readonly #hierarchies: Hierarchies;
  readonly #unified: string;

  constructor(hierarchies: Hierarchies) {
    if (hierarchies.unified === undefined) {
      throw new KeelError("KEEL-301", "cgroup2 is not mounted", {
        hint: "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
      });
    }
    this.#hierarchies = hierarchies;
    this.#unified = hierarchies.unified;
  }

  async start(scope: ScopeName, command: ScopeCommand): Promise<void> {
    const path = cgroupPath(scope);
    await removeGroup(this.#hierarchies, path);
    const folders = await makeGroup(this.#hierarchies, `${path}/run`);
    const keeper = join(this.#unified, path, "keeper");
    await mkdir(keeper);
    if (command.memoryBytes !== undefined) await limitMemory(this.#hierarchies, path, command.memoryBytes);
    const log = openSync(command.logFile, "w", 0o640);
    const again = command.againOn === undefined ? "never" : String(command.againOn);
    const files = folders.map((folder) => join(folder, "cgroup.procs"));
    const argv = [
      "-c",
      enter,
      "keelson",
      again,
      join(keeper, "cgroup.procs"),
      ...files,
      "--",
      ...command.argv,
    ];
    try {
      const child = spawn("/bin/sh", argv, {
        stdio: ["ignore", log, log],
        detached: true,
        env: { ...command.env },
        cwd: command.cwd ?? "/",
      });
      await once(child, "spawn");
      child.unref();
      await this.#entered(scope, child);
    } finally {
      closeSync(log);
    }
  }

  /** Until the process stands in its group nobody else would see that the scope runs. */
  async #entered(scope: ScopeName, child: ChildProcess): Promise<void> {
    const end = performance.now() + 10_000;
    while (child.exitCode === null && child.signalCode === null && performance.now() < end) {
      if ((await this.folder(scope)) !== undefined) return;
      await sleep(1);
    }
  }

  async folder(scope: ScopeName): Promise<string | undefined> {
    const folder = join(this.#unified, cgroupPath(scope));
    return (await isPopulated(folder)) ? folder : undefined;
  }

  async remove(scope: ScopeName): Promise<void> {
    const folder = join(this.#unified, cgroupPath(scope));
    await killGroup(folder);
    // A frozen group that is empty would freeze whatever is started in it next.
    await setFrozen(folder, false).catch(() => {});
    await removeGroup(this.#hierarchies, cgroupPath(scope));
  }

  async list(cluster: string): Promise<ScopeName[]> {
    const found = new Map<string, ScopeName>();
    for (const mount of [this.#unified, ...this.#hierarchies.legacy]) {
      for (const folder of await folders(join(mount, "keelson", cluster))) {
        const scope = scopeOfFolder(cluster, folder);
        if (scope !== undefined) found.set(folder, scope);
      }
    }
    return [...found.values()];
  }

  async clusters(): Promise<string[]> {
    const mounts = [this.#unified, ...this.#hierarchies.legacy];
    const names = await Promise.all(mounts.map((mount) => folders(join(mount, "keelson"))));
    return [...new Set(names.flat())];
  }

  async removeCluster(cluster: string): Promise<void> {
    await removeGroup(this.#hierarchies, `keelson/${cluster}`);
    for (const mount of [this.#unified, ...this.#hierarchies.legacy]) {
      await rmdir(join(mount, "keelson")).catch(() => {});
    }
  }
}

async function folders(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
