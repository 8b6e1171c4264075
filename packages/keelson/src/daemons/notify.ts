// Tells systemd how the daemon is. Node has no datagram sockets of the Unix kind, so systemd's own tool speaks
// for it; as root it speaks in the name of the process that called it, which is the unit's main process.
// Source: systemd-notify(1), sd_notify(3).
import { spawn } from "node:child_process";
import type { Clock } from "../base/clock.ts";
import type { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";

export class ServiceManager {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #log: Log;

  constructor(environment: NodeJS.ProcessEnv, log: Log) {
    this.#environment = environment;
    this.#log = log;
  }

  /** Sends `READY=1`, `STOPPING=1` and the like; nothing when systemd did not start this process. */
  async send(...assignments: readonly string[]): Promise<void> {
    if (!this.#environment["NOTIFY_SOCKET"]) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const child = spawn("systemd-notify", [...assignments], { stdio: "ignore", env: this.#environment });
    child.on("error", (error) => {
      this.#log.warn("systemd cannot be told", { assignments, error: error.message });
      resolve();
    });
    child.on("exit", () => resolve());
    await promise;
  }

  /** Keeps the unit's watchdog quiet for as long as this process turns, if the unit has one. */
  keepWatchdog(lifetime: Lifetime, clock: Clock): void {
    const everyMs = Number(this.#environment["WATCHDOG_USEC"] ?? 0) / 2000;
    if (!(everyMs > 0)) return;
    lifetime.run("watchdog", async (signal) => {
      while (!signal.aborted) {
        await this.send("WATCHDOG=1");
        await clock.sleep(everyMs, signal);
      }
    });
  }
}
