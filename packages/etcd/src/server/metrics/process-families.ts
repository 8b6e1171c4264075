import { readdirSync, readFileSync } from "node:fs";
import type { Exposition } from "./exposition.ts";

/** What the process itself takes, by the names that every Prometheus client uses. */
export function writeProcessFamilies(out: Exposition): void {
  const { user, system } = process.cpuUsage();
  const started = Date.now() / 1000 - process.uptime();
  out.counter("process_cpu_seconds_total", "Processor time spent, in seconds.", (user + system) / 1e6);
  out.gauge("process_resident_memory_bytes", "Resident memory, in bytes.", process.memoryUsage.rss());
  out.gauge("process_start_time_seconds", "When the process began, in seconds since 1970.", started);
  const { open, most } = descriptors();
  if (open !== undefined) out.gauge("process_open_fds", "Open file descriptors.", open);
  if (most !== undefined) out.gauge("process_max_fds", "File descriptors that may be open.", most);
}

/** As Linux tells them; nothing where there is no /proc. */
function descriptors(): { readonly open: number | undefined; readonly most: number | undefined } {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    const most = limit === undefined ? undefined : Number(limit);
    // One of them is that of the listing itself.
    return { open: readdirSync("/proc/self/fd").length - 1, most };
  } catch {
    return { open: undefined, most: undefined };
  }
}
