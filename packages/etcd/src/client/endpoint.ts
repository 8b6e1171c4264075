import { EtcdError } from "../errors.ts";

/** Where one member of the store listens. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** `host:port`, with brackets around an IPv6 address: for people and for the `:authority` header. */
  readonly name: string;
}

/**
 * Reads `http://host:port` or `host:port`.
 * @throws EtcdError INVALID_ARGUMENT
 */
export function parseEndpoint(text: string): Endpoint {
  const refuse = (why: string) =>
    new EtcdError("INVALID_ARGUMENT", `endpoint "${text}" ${why}; write http://host:port or host:port`);
  const explicit = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (explicit !== undefined && explicit !== "http")
    throw refuse(`has the scheme ${explicit}, which is not spoken`);
  // A made-up scheme keeps the URL parser from dropping port 80 as http's default.
  const url = URL.parse(`store://${explicit === undefined ? text : text.slice("http://".length)}`);
  if (url === null || url.hostname === "") throw refuse("is not an address");
  if (url.port === "") throw refuse("lacks a port");
  if (
    url.username !== "" ||
    (url.pathname !== "" && url.pathname !== "/") ||
    url.search !== "" ||
    url.hash !== ""
  ) {
    throw refuse("has more than a host and a port");
  }
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(url.port), name: url.host };
}
