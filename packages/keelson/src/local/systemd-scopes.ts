// Scopes where systemd is the host's PID 1: one transient unit for each, with its control group delegated.
// systemd owns the tree of control groups there, so nothing may be made beside it.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { killGroup, setFrozen } from "./cgroup.ts";
import type { Hierarchies } from "./cgroup.ts";
import { runCommand, tryCommand } from "./command.ts";
import { scopeOfUnit, unitName } from "./names.ts";
import type { ScopeName } from "./names.ts";
import type { ScopeCommand, Scopes } from "./scopes.ts";

/** The argv of systemd-run that starts a command as the scope's unit. */
export function systemdRunCommand(scope: ScopeName, command: ScopeCommand): string[] {
  const properties = [
    "Type=exec",
    "Delegate=yes",
    "KillMode=mixed",
    "TasksMax=infinity",
    // One killed process must not take the machine with it.
    "OOMPolicy=continue",
    `StandardOutput=truncate:${command.logFile}`,
    "StandardError=inherit",
    `WorkingDirectory=${command.cwd ?? "/"}`,
    ...(command.memoryBytes === undefined ? [] : [`MemoryMax=${command.memoryBytes}`]),
    ...(command.againOn === undefined
      ? []
      : [`RestartForceExitStatus=${command.againOn}`, `SuccessExitStatus=${command.againOn}`]),
  ];
  return [
    ..."systemd-run --quiet --collect --slice=keelson.slice".split(" "),
    `--unit=${unitName(scope)}`,
    ...properties.map((property) => `--property=${property}`),
    ...Object.entries(command.env).map(([name, value]) => `--setenv=${name}=${value}`),
    "--",
    ...command.argv,
  ];
}

export class SystemdScopes implements Scopes {
  readonly form = "systemd";
  readonly #hierarchies: Hierarchies;

  constructor(hierarchies: Hierarchies) {
    this.#hierarchies = hierarchies;
  }

  async start(scope: ScopeName, command: ScopeCommand): Promise<void> {
    await tryCommand(["systemctl", "reset-failed", unitName(scope)]);
    await runCommand(systemdRunCommand(scope, command));
  }

  async folder(scope: ScopeName): Promise<string | undefined> {
    const shown = await tryCommand([
      "systemctl",
      "show",
      "--property=ControlGroup",
      "--value",
      unitName(scope),
    ]);
    const path = shown.stdout.trim();
    if (path === "" || this.#hierarchies.unified === undefined) return undefined;
    const folder = join(this.#hierarchies.unified, path);
    return existsSync(folder) ? folder : undefined;
  }

  async remove(scope: ScopeName): Promise<void> {
    const folder = await this.folder(scope);
    if (folder !== undefined) {
      await killGroup(folder);
      await setFrozen(folder, false).catch(() => {});
    }
    await tryCommand(["systemctl", "stop", unitName(scope)]);
    await tryCommand(["systemctl", "reset-failed", unitName(scope)]);
  }

  async list(cluster: string): Promise<ScopeName[]> {
    return (await this.#units(`keelson.${cluster}.*.service`)).filter((scope) => scope.cluster === cluster);
  }

  async clusters(): Promise<string[]> {
    return [...new Set((await this.#units("keelson.*.service")).map((scope) => scope.cluster))];
  }

  async removeCluster(): Promise<void> {
    if ((await this.clusters()).length === 0) await tryCommand(["systemctl", "stop", "keelson.slice"]);
  }

  async #units(pattern: string): Promise<ScopeName[]> {
    const text = await runCommand([
      "systemctl",
      "list-units",
      "--all",
      "--plain",
      "--no-legend",
      "--no-pager",
      "--full",
      pattern,
    ]);
    return text
      .split("\n")
      .map((line) => scopeOfUnit(line.trim().split(/\s+/)[0] ?? ""))
      .filter((scope) => scope !== undefined);
  }
}
