import { readFile } from "node:fs/promises";

/**
 * The resolver configuration that works in a machine too: name servers on the host's loopback are not
 * reachable from there and are left out.
 */
export function machineResolver(resolvConf: string): string {
  const lines = resolvConf
    .split("\n")
    .filter(
      (line) =>
        /^\s*(nameserver|search|domain|options)\s/.test(line) && !/^\s*nameserver\s+(127\.|::1)/.test(line),
    );
  return lines.map((line) => `${line.trim()}\n`).join("");
}

/** The host's resolver configuration for machines; systemd-resolved keeps the true servers in a file of its own. */
export async function hostResolver(): Promise<string> {
  const read = (path: string): Promise<string> => readFile(path, "utf8").catch(() => "");
  const own = await read("/etc/resolv.conf");
  const usable = machineResolver(own);
  if (/^nameserver/m.test(usable)) return usable;
  return machineResolver(await read("/run/systemd/resolve/resolv.conf"));
}
