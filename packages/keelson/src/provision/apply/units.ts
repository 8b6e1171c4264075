// What systemd is told: nothing while files are written, and everything at the end, once.
import type { UnitCommand, UnitConfig } from "../machine-config.ts";
import type { Machine } from "./machine.ts";

/** Where a unit's file, its drop-ins and the link that starts it at boot lie. */
export function unitPaths(unit: UnitConfig): {
  readonly file: string;
  readonly dropIns: string;
  readonly wanted?: string;
} {
  const base = unit.runtime ? "/run" : "/etc";
  if (isNetwork(unit.name)) {
    const folder = `${base}/systemd/network`;
    return { file: `${folder}/${unit.name}`, dropIns: `${folder}/${unit.name}.d` };
  }
  if (isQuadlet(unit.name)) {
    const folder = `${base}/containers/systemd`;
    return { file: `${folder}/${unit.name}`, dropIns: `${folder}/${unit.name}.d` };
  }
  const folder = `${base}/systemd/system`;
  const paths = { file: `${folder}/${unit.name}`, dropIns: `${folder}/${unit.name}.d` };
  // CoreOS carried out commands at every boot: a unit to be started is started at every boot.
  const starts = startsAtBoot.includes(unit.command ?? "stop") && unit.enabled !== true && !unit.masked;
  return starts && !unit.runtime
    ? { ...paths, wanted: `${folder}/multi-user.target.wants/${unit.name}` }
    : paths;
}

const startsAtBoot: readonly string[] = ["start", "restart", "reload-or-restart"];
const isNetwork = (name: string): boolean => /\.(?:network|netdev|link)$/.test(name);
const isQuadlet = (name: string): boolean => /\.(?:container|volume|kube|image|build|pod)$/.test(name);

/** `web.service` for web.container: what the generator makes of it. */
function generatedName(name: string): string {
  const [, stem = name, kind] = /^(.*)\.(container|volume|kube|image|build|pod)$/.exec(name) ?? [];
  if (kind === undefined) return name;
  return kind === "container" || kind === "kube" ? `${stem}.service` : `${stem}-${kind}.service`;
}

export class UnitChanges {
  readonly #machine: Machine;
  readonly #commands: (readonly [UnitCommand, string])[] = [];
  readonly #helpers = new Set<string>();
  #needsReload = false;
  #needsNetwork = false;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** A file that was written or removed: some of them are read by services that run. */
  noteFile(path: string): void {
    if (/^\/(?:etc|run)\/(?:systemd\/system|containers\/systemd)\//.test(path)) this.#needsReload = true;
    if (/^\/(?:etc|run)\/systemd\/network\//.test(path)) this.#needsNetwork = true;
    if (/^\/(?:etc|run)\/sysctl\.d\//.test(path)) this.#helpers.add("systemd-sysctl.service");
    if (/^\/(?:etc|run)\/modules-load\.d\//.test(path)) this.#helpers.add("systemd-modules-load.service");
  }

  /** Its files are in place. Resolves with the unit that was enabled. */
  async place(unit: UnitConfig, enabledBefore: string | undefined): Promise<{ readonly enabled?: string }> {
    if (isNetwork(unit.name)) {
      this.#needsNetwork = true;
      return {};
    }
    this.#needsReload = true;
    const name = generatedName(unit.name);
    if (enabledBefore !== undefined && unit.enabled !== true)
      await this.#install("disable", enabledBefore, false);
    if (unit.masked) this.#commands.push(["stop", name]);
    else if (unit.command !== undefined) this.#commands.push([unit.command, name]);
    else if (unit.enabled === true) this.#commands.push(["start", name]);
    if (unit.masked || name !== unit.name || unit.enabled === undefined) return {};
    await this.#install(unit.enabled ? "enable" : "disable", unit.name, unit.runtime);
    return unit.enabled ? { enabled: unit.name } : {};
  }

  /** Before its files are removed: stopped, and no longer started at boot. */
  async withdraw(name: string, enabled: string | undefined): Promise<void> {
    if (isNetwork(name)) {
      this.#needsNetwork = true;
      return;
    }
    this.#needsReload = true;
    if (enabled !== undefined) await this.#install("disable", enabled, false);
    await this.#machine.run(["systemctl", "stop", generatedName(name)]);
  }

  /** Once everything is written. */
  restart(names: readonly string[]): void {
    for (const name of names) this.#commands.push(["restart", name]);
  }

  /** Resolves with what systemd refused, one line each. */
  async carryOut(): Promise<readonly string[]> {
    const problems: string[] = [];
    const run = async (...argv: [string, ...string[]]): Promise<void> => {
      const { status, stderr } = await this.#machine.run(argv);
      if (status !== 0)
        problems.push(`${argv.join(" ")}: ${stderr.trim().split("\n").at(-1)?.slice(0, 300) ?? status}`);
    };
    if (this.#needsReload) await run("systemctl", "daemon-reload");
    if (this.#needsNetwork) await run("systemctl", "--no-block", "try-restart", "systemd-networkd.service");
    for (const helper of this.#helpers) await run("systemctl", "--no-block", "restart", helper);
    for (const [command, name] of this.#commands) await run("systemctl", "--no-block", command, name);
    return problems;
  }

  /** By systemctl's own hand and on the disk: the manager's view of /etc cannot be written. */
  async #install(verb: "enable" | "disable", name: string, runtime: boolean): Promise<void> {
    const where = this.#machine.root === "" ? "/" : this.#machine.root;
    const scope: readonly string[] = runtime ? ["--runtime"] : [];
    const { status, stderr } = await this.#machine.run([
      "systemctl",
      `--root=${where}`,
      ...scope,
      verb,
      name,
    ]);
    if (status !== 0)
      throw new Error(stderr.trim().split("\n").at(-1)?.slice(0, 300) ?? `systemctl ${verb} failed`);
  }
}
