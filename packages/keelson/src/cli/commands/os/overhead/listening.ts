// Ports on which a machine can be reached from outside, from the kernel's tables of sockets.
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const tables = ["tcp", "tcp6", "udp", "udp6"] as const;

/** `tcp 22`, sorted. Ports of the loopback are left out: nobody outside can reach them. */
export async function listeningPorts(proc: string): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const name of tables) {
    const text = await readFile(join(proc, "net", name), "utf8").catch(() => "");
    for (const port of parseSockets(text, name.startsWith("tcp") ? "tcp" : "udp")) found.add(port);
  }
  return [...found].toSorted(
    (a, b) => a.slice(0, 3).localeCompare(b.slice(0, 3)) || Number(a.slice(4)) - Number(b.slice(4)),
  );
}

/** Of /proc/net/tcp and its like: proc(5). A TCP socket listens in state 0A, a UDP socket takes from anybody in 07. */
export function parseSockets(text: string, protocol: "tcp" | "udp"): readonly string[] {
  const wanted = protocol === "tcp" ? "0A" : "07";
  return text.split("\n").flatMap((line) => {
    const match =
      /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) /.exec(line);
    const [, address = "", port = "", state] = match ?? [];
    if (state !== wanted || isLoopback(address)) return [];
    return [`${protocol} ${Number.parseInt(port, 16)}`];
  });
}

/** Addresses are words of 32 bits, each with its lowest byte first. */
function isLoopback(address: string): boolean {
  const mapped = "0000000000000000FFFF0000";
  if (address.length === 8) return address.endsWith("7F");
  return (
    address === "00000000000000000000000001000000" || (address.startsWith(mapped) && address.endsWith("7F"))
  );
}
