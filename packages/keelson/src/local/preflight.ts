// Whether this host can run local machines: a pure list of checks over probed facts. Everything is checked
// before anything is changed, and every problem names its remedy.
import { formatBytes } from "./progress.ts";

export interface HostFacts {
  readonly platform: string;
  /** Node's name of the architecture. */
  readonly architecture: string;
  readonly uid: number;
  /** uname -r */
  readonly kernel: string;
  readonly cgroup2: boolean;
  /** Controllers of cgroup2. */
  readonly controllers: readonly string[];
  readonly memoryAvailable: number;
  /** Free bytes where the cache and the clusters lie. */
  readonly diskFree: number;
  readonly inotifyInstances: number;
  /** Whether root may change kernel settings here. */
  readonly sysctlWritable: boolean;
  readonly overlayfs: boolean;
  readonly missingCommands: readonly string[];
  /** The id of /etc/os-release with what it is like: debian, ubuntu debian. */
  readonly distribution: string;
  readonly keyring: boolean;
}

export interface Wanted {
  readonly machines: number;
  readonly memoryPerMachine: number;
  /** Whether the tree is not cached yet. */
  readonly buildsTree: boolean;
  /** What runs the machines; nspawn unless given. */
  readonly provider?: "nspawn" | "qemu";
}

export interface Problem {
  readonly what: string;
  readonly remedy: string;
}

export interface Verdict {
  readonly problems: readonly Problem[];
  /** Debian packages that are missing and would help. */
  readonly packages: readonly string[];
  /** Things that work less well here, and are reported once. */
  readonly notes: readonly string[];
}

/** Commands that machines need, and the Debian package of each. */
export const runCommands: Readonly<Record<string, string>> = {
  "systemd-nspawn": "systemd-container",
  ip: "iproute2",
  nft: "nftables",
  "ssh-keygen": "openssh-client",
  nsenter: "util-linux",
  unshare: "util-linux",
  flock: "util-linux",
  mount: "mount",
  openssl: "openssl",
};

/** Commands that only building the tree needs. */
export const buildCommands: Readonly<Record<string, string>> = {
  mmdebstrap: "mmdebstrap",
  strip: "binutils",
  setpriv: "util-linux",
};

const gibibyte = 2 ** 30;
const leastDisk = 3 * gibibyte;
/** The image, what it is built from, and what machines write at first. */
const leastVirtualDisk = 8 * gibibyte;
const leastKernel = [5, 14] as const;
const manyMachines = 20;

/** Judges the facts. No problem and no missing package means: go. */
export function judgeHost(facts: HostFacts, wanted: Wanted): Verdict {
  if (facts.platform !== "linux") {
    const remedy = "run it on Linux, or in a virtual machine with Debian 12 or later";
    return {
      problems: [{ what: `local machines need Linux, this is ${facts.platform}`, remedy }],
      packages: [],
      notes: [],
    };
  }
  const problems = [...checks]
    .map((check) => check(facts, wanted))
    .filter((problem) => problem !== undefined);
  return { problems, packages: missingPackages(facts, wanted), notes: notesOn(facts) };
}

type Check = (facts: HostFacts, wanted: Wanted) => Problem | undefined;

const checks: readonly Check[] = [
  ({ uid }) =>
    uid === 0
      ? undefined
      : {
          what: "machines, networks and control groups can only be made by root",
          remedy: "run it with sudo: sudo ./keel up",
        },
  ({ architecture }) =>
    ["x64", "arm64"].includes(architecture)
      ? undefined
      : { what: `machines run on x86-64 and arm64, not on ${architecture}`, remedy: "use another host" },
  ({ kernel }) =>
    atLeast(kernel, leastKernel)
      ? undefined
      : {
          what: `the kernel is ${kernel}; cgroup.kill came with 5.14`,
          remedy: "upgrade to Debian 12 or later",
        },
  ({ cgroup2 }) =>
    cgroup2
      ? undefined
      : {
          what: "cgroup2 is not mounted",
          remedy:
            "mount -t cgroup2 cgroup2 /sys/fs/cgroup, or boot without systemd.unified_cgroup_hierarchy=0",
        },
  ({ overlayfs }) =>
    overlayfs
      ? undefined
      : {
          what: "the kernel has no overlay file system",
          remedy: "modprobe overlay, or use a kernel that has it",
        },
  ({ memoryAvailable }, { machines, memoryPerMachine }) => {
    const least = gibibyte + machines * memoryPerMachine;
    return memoryAvailable >= least
      ? undefined
      : {
          what: `${formatBytes(memoryAvailable)} of memory are available; ${machines} machines need ${formatBytes(least)}`,
          remedy: "end other programs, or ask for fewer machines: keel up --machines 1",
        };
  },
  ({ diskFree }, { provider }) => {
    const least = provider === "qemu" ? leastVirtualDisk : leastDisk;
    return diskFree >= least
      ? undefined
      : {
          what: `${formatBytes(diskFree)} of disk are free; ${formatBytes(least)} are needed`,
          remedy: "free some under /var",
        };
  },
  ({ architecture }, { provider }) =>
    provider !== "qemu" || architecture === "x64"
      ? undefined
      : {
          what: `virtual machines run the x86-64 image, this host is ${architecture}`,
          remedy: "use machines that are containers: keel up --provider nspawn",
        },
  ({ inotifyInstances, sysctlWritable }, { machines }) =>
    sysctlWritable || inotifyInstances >= 128 + machines * 6 || machines <= manyMachines
      ? undefined
      : {
          what: `fs.inotify.max_user_instances is ${inotifyInstances} and cannot be raised from here; ${machines} machines need ${128 + machines * 6}`,
          remedy: "sysctl fs.inotify.max_user_instances=8192 on the host, or fewer machines",
        },
];

function atLeast(release: string, [major, minor]: readonly [number, number]): boolean {
  const match = /^(\d+)\.(\d+)/.exec(release);
  const have = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)] as const;
  return have[0] > major || (have[0] === major && have[1] >= minor);
}

function missingPackages(facts: HostFacts, { buildsTree }: Wanted): string[] {
  const needed = buildsTree ? { ...runCommands, ...buildCommands } : runCommands;
  const packages = facts.missingCommands
    .map((command) => needed[command])
    .filter((name) => name !== undefined);
  if (buildsTree && !facts.keyring) packages.push("debian-archive-keyring");
  return [...new Set(packages)].sort();
}

function notesOn({ controllers }: HostFacts): string[] {
  const missing = ["memory", "cpu", "pids"].filter((name) => !controllers.includes(name));
  if (missing.length === 0) return [];
  return [
    `limits of units on ${missing.join(", ")} are not enforced: this host's cgroup2 lacks the controllers`,
  ];
}
