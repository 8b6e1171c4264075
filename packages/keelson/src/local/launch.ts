// How a machine is started: the mounts that make its file tree, and nspawn's command line. Text only.
import { join } from "node:path";
import { bootMarks, statePaths, treeDisk, writableEtc } from "../model/os-image.ts";

export interface MachinePaths {
  /** The machine's folder; all others lie in it. */
  readonly folder: string;
  readonly record: string;
  readonly credentials: string;
  readonly console: string;
  readonly script: string;
}

export function machinePaths(folder: string): MachinePaths {
  return {
    folder,
    record: join(folder, "machine.json"),
    credentials: join(folder, "credentials"),
    console: join(folder, "console.log"),
    script: join(folder, "start"),
  };
}

export interface Launch {
  readonly paths: MachinePaths;
  /** nspawn's name, unique on the host. */
  readonly container: string;
  readonly hostname: string;
  readonly uuid: string;
  readonly bridge: string;
  /** Read-only layers, uppermost first. */
  readonly layers: readonly string[];
  /** Layers that have /etc and /var; a lowerdir must exist. */
  readonly layersOf: (folder: "etc" | "var") => readonly string[];
  /** Names of the files in the credentials folder. */
  readonly credentials: readonly string[];
  /** Files of the host that the machine reads: [host, machine]. */
  readonly files: readonly (readonly [string, string])[];
  /** Set for a machine that starts from one of two slots: what chooses the slot, and writes `os` and `layers`. */
  readonly firmware?: readonly string[];
}

/** Folders that a machine needs in its own before it starts. */
export function machineFolders({ folder, credentials }: MachinePaths): string[] {
  const own = ["etc", "etc.work", "var", "var.work", "containers", "mounts/root", "mounts/etc", "mounts/var"];
  return [credentials, ...own.map((name) => join(folder, name))];
}

/**
 * The script that becomes the machine. It runs in a mount namespace of its own, so that every mount goes
 * when the last process does. nspawn's lock and propagation folders are private for the same reason.
 */
export function launchScript(launch: Launch): string {
  const { folder } = launch.paths;
  const { firmware } = launch;
  // The lower layer changes under an upper one with every version: nothing in the upper one may point into it.
  const loose = firmware === undefined ? "" : "index=off,metacopy=off,redirect_dir=off,xino=off,";
  const lower = (name: "root" | "etc" | "var"): string => {
    if (firmware !== undefined) return `"$lower_${name}"`;
    return quote((name === "root" ? launch.layers : launch.layersOf(name)).join(":"));
  };
  const overlay = (name: "etc" | "var"): string =>
    `mount -t overlay keelson-${name} -o ${loose}lowerdir=${lower(name)},${quote(
      `upperdir=${folder}/${name},workdir=${folder}/${name}.work`,
    )} ${quote(`${folder}/mounts/${name}`)}`;
  const choice =
    firmware === undefined
      ? ""
      : `${firmware.map(quote).join(" ")} ${quote(folder)}\n. ${quote(`${folder}/layers`)}\n`;
  return `#!/bin/sh
set -e
${choice}mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=755 keelson-nspawn /run/systemd/nspawn
mount -t overlay keelson-root -o ro,lowerdir=${lower("root")} ${quote(`${folder}/mounts/root`)}
${overlay("etc")}
${overlay("var")}
exec ${nspawnCommand(launch).map(quote).join(" ")}
`;
}

/** nspawn's argv. No secret is in it: credentials are named by file. */
export function nspawnCommand(launch: Launch): string[] {
  const { folder, credentials } = launch.paths;
  return [
    "systemd-nspawn",
    ..."--boot --quiet --register=no --keep-unit --kill-signal=SIGRTMIN+3".split(" "),
    // podman in the machine needs what a host has.
    "--capability=all",
    "--system-call-filter=add_key keyctl bpf",
    ..."--link-journal=no --resolv-conf=off --timezone=off --console=read-only".split(" "),
    `--machine=${launch.container}`,
    `--hostname=${launch.hostname}`,
    `--uuid=${launch.uuid}`,
    `--network-bridge=${launch.bridge}`,
    "--read-only",
    `--bind=${folder}/mounts/etc:/etc`,
    `--bind=${folder}/mounts/var:/var`,
    // An overlay cannot be the upper side of podman's overlays.
    `--bind=${folder}/containers:/var/lib/containers`,
    ...(launch.firmware === undefined ? [] : treeBinds(folder)),
    ...launch.files.map(([host, machine]) => `--bind-ro=${host}:${machine}`),
    ...launch.credentials.map((name) => `--load-credential=${name}:${join(credentials, name)}`),
    `--directory=${folder}/mounts/root`,
  ];
}

/** What a machine with slots finds where one with a disk has it. */
function treeBinds(folder: string): string[] {
  return [
    `--bind=${folder}/tree:${treeDisk.path}`,
    `--bind-ro=${folder}/os:${bootMarks.os}`,
    `--bind=${folder}/mounts/etc:${writableEtc}`,
    `--bind-ro=${folder}/etc:${statePaths.etc}/upper`,
  ];
}

/** The network file of a machine, in systemd.network's form. */
export function networkFile(address: string, gateway: string): string {
  return `[Match]
Name=host0

[Network]
Address=${address}/24
Gateway=${gateway}
LinkLocalAddressing=no
IPv6AcceptRA=no
`;
}

/** A word for a POSIX shell. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
