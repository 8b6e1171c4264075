// Where a check knocks: [HOST]:PORT as it stands in a unit's file.

export interface ProbeTarget {
  /** Hosts to try, the next one only when the one before refuses the connection. */
  readonly hosts: readonly string[];
  readonly port: number;
}

/** Without a host it is this machine: its loopback first, then its own address. `undefined` for no such thing. */
export function readTarget(text: string, machine: string): ProbeTarget | undefined {
  const match = /^(.*):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || !(port >= 1 && port <= 65_535)) return undefined;
  const host = (match[1] ?? "").replace(/^\[(.*)\]$/, "$1");
  if (host !== "") return { hosts: [host], port };
  return { hosts: machine === "" || machine === "127.0.0.1" ? ["127.0.0.1"] : ["127.0.0.1", machine], port };
}
