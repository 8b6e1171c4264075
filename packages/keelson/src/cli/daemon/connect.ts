// The daemon that a command speaks to: found, and reached through a tunnel where one is asked for.
import type { Clock } from "../../base/clock.ts";
import type { Connection } from "../connection.ts";
import { DaemonClient } from "./client.ts";
import { endpointFor, parseEndpoint } from "./endpoint.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Terminal } from "../terminal.ts";
import { Tunnel } from "../tunnel.ts";

export interface Way {
  readonly cluster: string;
  /** The cluster was named. */
  readonly named: boolean;
  readonly connection: Connection;
  readonly terminal: Pick<Terminal, "env" | "err">;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What ends with the command. */
  readonly closing: AsyncDisposableStack;
}

/** Where a machine's keeld listens, seen from another machine. */
const remoteSocket = "/run/keelson/api.sock";

/** KEEL-104 for an endpoint that cannot be read, KEEL-585 for a tunnel that does not open. */
export async function connect(way: Way): Promise<DaemonClient> {
  const { connection, terminal, signal, clock } = way;
  const endpoint = await through(way, endpointOf(way));
  return DaemonClient.at(endpoint, signal, {
    requestMs: connection.requestMs,
    tls: connection.tls,
    clock,
    ...(connection.debug && { trace: (text) => terminal.err(`debug: ${text}\n`) }),
  });
}

/** What was asked for, or else Keelson's own ways; none for a tunnel's default. */
function endpointOf({ cluster, named, connection, terminal }: Way): Endpoint | undefined {
  const { endpoint, ssh } = connection;
  if (endpoint !== undefined) {
    const [first = "", ...others] = endpoint.split(",");
    if (others.length > 0) terminal.err(`note: of several endpoints only the first is used: ${first}\n`);
    return parseEndpoint(first, "--endpoint");
  }
  const isOwn = named || (terminal.env.KEEL_ENDPOINT ?? "") !== "";
  if (ssh.tunnel !== undefined && !isOwn) return undefined;
  return endpointFor({ cluster, named, env: terminal.env });
}

async function through(
  { connection: { ssh }, clock, signal, closing }: Way,
  endpoint: Endpoint | undefined,
): Promise<Endpoint> {
  if (ssh.tunnel === undefined) return endpoint ?? { socket: remoteSocket };
  const url = endpoint !== undefined && "url" in endpoint ? endpoint.url : undefined;
  const socket = endpoint !== undefined && "socket" in endpoint ? endpoint.socket : remoteSocket;
  const port = url?.port || (url?.protocol === "https:" ? "443" : "80");
  const remote = url === undefined ? socket : `${url.hostname}:${port}`;
  const tunnel = closing.use(await Tunnel.open(ssh.tunnel, remote, { ssh, clock, signal }));
  return url === undefined ? { socket: tunnel.socket } : { url, through: tunnel.socket };
}
