import { spawn } from "node:child_process";
import type { LogFunction } from "../server/index.ts";

/**
 * Tells systemd that the service is ready, if systemd started it. Node has no datagram sockets of the Unix kind, so
 * systemd's own tool speaks for it: the unit needs NotifyAccess=all, unless it runs as root. Source: sd_notify(3).
 */
export async function notifyReady(
  environment: Readonly<Record<string, string | undefined>>,
  log: LogFunction,
): Promise<void> {
  if (!environment["NOTIFY_SOCKET"]) return;
  log("info", "notifying init daemon");
  await new Promise<void>((resolve) => {
    const child = spawn("systemd-notify", ["--ready"], { stdio: "ignore", env: { ...environment } });
    child.once("error", (error) => {
      log("error", "failed to notify systemd for readiness", { error: error.message });
      resolve();
    });
    child.once("exit", (code) => {
      if (code === 0) log("info", "successfully notified init daemon");
      else log("error", "failed to notify systemd for readiness", { code });
      resolve();
    });
  });
}
