// Finds out what preflight judges, without changing anything: kernel features are tried in namespaces that
// vanish with the trial.
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { arch, platform, release } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { findHierarchies } from "./cgroup.ts";
import { tryCommand } from "./command.ts";
import { cutRules, noCuts, outwardRules, withCut } from "./firewall.ts";
import { buildCommands, runCommands } from "./preflight.ts";
import type { HostFacts } from "./preflight.ts";
import { debianKeyring } from "./tree/debian-tree.ts";

/** Facts of this host; `folder` is where the cache and the clusters lie. */
export async function probeHost(folder: string): Promise<HostFacts> {
  const linux = platform() === "linux";
  const hierarchies = linux ? findHierarchies() : { unified: undefined, controllers: [] };
  return {
    platform: platform(),
    architecture: arch(),
    uid: process.getuid?.() ?? -1,
    kernel: release(),
    cgroup2: hierarchies.unified !== undefined,
    controllers: hierarchies.controllers,
    memoryAvailable: Number(/^MemAvailable:\s+(\d+) kB/m.exec(readText("/proc/meminfo"))?.[1] ?? 0) * 1024,
    diskFree: await freeBytes(folder),
    inotifyInstances: Number(readText("/proc/sys/fs/inotify/max_user_instances")),
    sysctlWritable: isWritable("/proc/sys/fs/inotify/max_user_instances"),
    overlayfs:
      /\boverlay$/m.test(readText("/proc/filesystems")) ||
      existsSync(`/lib/modules/${release()}/kernel/fs/overlayfs`),
    missingCommands: Object.keys({ ...runCommands, ...buildCommands }).filter((name) => !findCommand(name)),
    distribution: distribution(readText("/etc/os-release")),
    keyring: existsSync(debianKeyring),
  };
}

/** `id` and `id_like` of os-release in one line. */
export function distribution(osRelease: string): string {
  const field = (name: string): string =>
    new RegExp(`^${name}="?([^"\n]*)"?$`, "m").exec(osRelease)?.[1] ?? "";
  return `${field("ID")} ${field("ID_LIKE")}`.trim();
}

/** Where a command is, looking also where Debian's root does. */
export function findCommand(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
  return folders.map((folder) => join(folder, name)).find((path) => isExecutable(path));
}

interface KernelTrial {
  readonly what: string;
  readonly argv: readonly string[];
  readonly input?: string;
}

const trial = "feature-trial";
const trialCuts = withCut(withCut(noCuts, "m1"), "m2", ["m3", "host"]);
const overlayTrial = `mount -t tmpfs trial /mnt && cd /mnt && mkdir a b c d && \
mount -t overlay trial -o lowerdir=a,upperdir=b,workdir=c d && touch d/file`;

/** Commands that use what machines need of the kernel, each in namespaces of its own. */
export const kernelTrials: readonly KernelTrial[] = [
  { what: "network bridges", argv: "unshare --net ip link add name trial type bridge".split(" ") },
  {
    what: "virtual network cables",
    argv: "unshare --net ip link add name one type veth peer name two".split(" "),
  },
  {
    what: "nftables on bridges",
    argv: "unshare --net nft --file -".split(" "),
    input: cutRules(trial, trialCuts),
  },
  {
    what: "nftables with masquerading",
    argv: "unshare --net nft --file -".split(" "),
    input: outwardRules(trial, "10.205.0.0/24"),
  },
  { what: "overlay mounts", argv: ["unshare", "--mount", "sh", "-c", overlayTrial] },
  { what: "PID namespaces", argv: "unshare --pid --fork true".split(" ") },
];

/** The same for what only virtual machines need. */
export const virtualTrials: readonly KernelTrial[] = [
  { what: "tap devices", argv: "unshare --net ip tuntap add dev trial mode tap".split(" ") },
];

/** Runs the trials. Returns what does not work, with the kernel's own words. */
export async function tryKernelFeatures(provider: "nspawn" | "qemu" = "nspawn"): Promise<string[]> {
  const trials = provider === "qemu" ? [...kernelTrials, ...virtualTrials] : kernelTrials;
  const results = await Promise.all(
    trials.map(async ({ what, argv, ...input }) => {
      const { code, stderr } = await tryCommand(argv, { timeoutMs: 20_000, ...input });
      return code === 0 ? undefined : `${what}: ${stderr.trim().split("\n")[0] ?? `exit code ${code}`}`;
    }),
  );
  return results.filter((text) => text !== undefined);
}

/** Whether the archive of a suite answers; the reason when it does not. */
export async function reachMirror(mirror: string, suite: string): Promise<string | undefined> {
  try {
    const url = `${mirror}/debian/dists/${suite}/InRelease`;
    const answer = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(15_000) });
    return answer.ok ? undefined : `${url} answers ${answer.status}`;
  } catch (error) {
    const cause = (error as Error).cause;
    return cause instanceof Error ? cause.message : (error as Error).message;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function isWritable(path: string): boolean {
  return isAccessible(path, constants.W_OK);
}

function isExecutable(path: string): boolean {
  return isAccessible(path, constants.X_OK);
}

function isAccessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** Free bytes where the folder is, or would be. */
async function freeBytes(folder: string): Promise<number> {
  let path = folder;
  while (!existsSync(path)) path = dirname(path);
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
