// What a host holds of clusters, so that before and after can be compared.
import { readFileSync, readdirSync } from "node:fs";
import { spawnSync } from "node:child_process";

export interface Footprint {
  readonly processes: readonly string[];
  readonly mounts: readonly string[];
  readonly interfaces: readonly string[];
  readonly tables: readonly string[];
  readonly cgroups: readonly string[];
  readonly files: readonly string[];
  readonly sysctls: readonly string[];
}

const lines = (command: string): string[] =>
  spawnSync("/bin/sh", ["-c", command], { encoding: "utf8" }).stdout.split("\n").filter(Boolean).toSorted();

/** Everything a cluster could leave: of processes only those that belong to one. */
export function footprint(): Footprint {
  const processes: string[] = [];
  for (const pid of readdirSync("/proc")) {
    try {
      if (/^\d+$/.test(pid) && /keelson[/.]/.test(readFileSync(`/proc/${pid}/cgroup`, "utf8")))
        processes.push(readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " "));
    } catch {
      // The process ended meanwhile.
    }
  }
  return {
    processes,
    mounts: lines("cut -d' ' -f5 /proc/self/mountinfo"),
    interfaces: readdirSync("/sys/class/net").toSorted(),
    tables: lines("nft list tables 2>/dev/null"),
    cgroups: lines("find /sys/fs/cgroup -type d -path '*keelson*' 2>/dev/null"),
    files: lines("find /run/keelson /var/lib/keelson /run/systemd/nspawn /run/lock -mindepth 1 2>/dev/null"),
    sysctls: lines("sysctl -n net.ipv4.ip_forward fs.inotify.max_user_instances 2>/dev/null"),
  };
}

/** What is in `after` and was not in `before`, in words. */
export function leftBehind(before: Footprint, after: Footprint): string[] {
  return Object.keys(before).flatMap((kind) => {
    const had = new Set(before[kind as keyof Footprint]);
    return after[kind as keyof Footprint]
      .filter((entry) => !had.has(entry))
      .map((entry) => `${kind}: ${entry}`);
  });
}
