// Where a daemon is reached.
import { existsSync } from "node:fs";
import { KeelError } from "../../base/errors.ts";

/** Where a daemon listens. */
export type Endpoint =
  | { readonly socket: string }
  | {
      readonly url: URL;
      /** A socket that leads there. */
      readonly through?: string;
    };

/** Where a machine's own keeld listens. */
const machineSocket = "/run/keelson/api.sock";

/**
 * The daemon of the named local cluster, the one at KEEL_ENDPOINT (`unix:/path`, `http://host:port`), or, on
 * a machine of a cluster, its own. Throws KEEL-104 for an endpoint of another form.
 */
export function endpointFor(place: {
  readonly cluster: string;
  /** The cluster was named on the command line: KEEL_ENDPOINT does not count then. */
  readonly named: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}): Endpoint {
  const text = place.env.KEEL_ENDPOINT ?? "";
  if (place.named || text === "") {
    const local = `/run/keelson/${place.cluster}/api.sock`;
    const isOnMachine = !place.named && !existsSync(local) && existsSync(machineSocket);
    return { socket: isOnMachine ? machineSocket : local };
  }
  return parseEndpoint(text, "KEEL_ENDPOINT");
}

/** `unix:/path`, `unix:///path`, `file:///path`, `/path`, `http(s)://host:port`. Throws KEEL-104, naming `what`. */
export function parseEndpoint(text: string, what: string): Endpoint {
  const path = /^(?:unix|file):(.*)$/.exec(text)?.[1];
  if (path !== undefined) {
    if (/^\/\/[^/]/.test(path))
      throw new KeelError("KEEL-104", `${what}: "${text}" has a host where a path begins`, {
        hint: `unix:///${path.slice(2)}`,
      });
    return { socket: path.replace(/^\/\/(?=\/)/, "") };
  }
  if (text.startsWith("/")) return { socket: text };
  const url = URL.parse(text);
  if (url?.protocol === "http:" || url?.protocol === "https:") return { url };
  throw new KeelError("KEEL-104", `${what}: "${text}" is no endpoint`, {
    hint: "unix:///path or http://host:port",
  });
}

/** The endpoint in words, for errors. */
export function describeEndpoint(endpoint: Endpoint): string {
  return "socket" in endpoint ? endpoint.socket : endpoint.url.origin;
}
