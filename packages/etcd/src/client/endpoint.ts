import { EtcdError } from "../errors.ts";

/** Where one member of the store listens. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** `host:port`, with brackets around an IPv6 address: for people and for the `:authority` header. */
  readonly name: string;
  /** Speak TLS. */
  readonly secure: boolean;
}

const SCHEMES: Readonly<Record<string, boolean>> = { http: false, https: true };

/**
 * Reads `http://host:port`, `https://host:port` or `host:port`; `secureByDefault` is for the last.
 * @throws EtcdError INVALID_ARGUMENT
 */
export function parseEndpoint(text: string, secureByDefault = false): Endpoint {
  const refuse = (why: string) =>
    new EtcdError(
      "INVALID_ARGUMENT",
      `endpoint "${text}" ${why}; write http://host:port, https://host:port or host:port`,
    );
  const explicit = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  const secure = explicit === undefined ? secureByDefault : SCHEMES[explicit];
  if (secure === undefined) throw refuse(`has the scheme ${explicit}, which is not spoken`);
  // A made-up scheme keeps the URL parser from dropping ports 80 and 443 as defaults.
  const url = URL.parse(`store://${explicit === undefined ? text : text.slice(`${explicit}://`.length)}`);
  if (url === null || url.hostname === "") throw refuse("is not an address");
  if (url.port === "") throw refuse("lacks a port");
  if (
    url.username !== "" ||
    url.password !== "" ||
    (url.pathname !== "" && url.pathname !== "/") ||
    url.search !== "" ||
    url.hash !== ""
  ) {
    throw refuse("has more than a host and a port");
  }
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(url.port), name: url.host, secure };
}

/**
 * Reads the endpoints of one client. Those without a scheme take TLS when `withTls` says that settings for it
 * are given.
 * @throws EtcdError INVALID_ARGUMENT also when some speak TLS and others do not, or TLS is set up for none
 */
export function parseEndpoints(texts: readonly string[], withTls: boolean): readonly Endpoint[] {
  const endpoints = texts.map((text) => parseEndpoint(text, withTls));
  const [first] = endpoints;
  if (first === undefined) throw new EtcdError("INVALID_ARGUMENT", "a client needs an endpoint");
  const other = endpoints.find(({ secure }) => secure !== first.secure);
  if (other !== undefined) {
    const [plain, secure] = first.secure ? [other, first] : [first, other];
    throw new EtcdError(
      "INVALID_ARGUMENT",
      `endpoint ${secure.name} speaks TLS and ${plain.name} does not; the endpoints of one client do or do not`,
    );
  }
  if (withTls && !first.secure) {
    throw new EtcdError(
      "INVALID_ARGUMENT",
      `TLS is set up, but endpoint ${first.name} is given as http://; write https://`,
    );
  }
  return endpoints;
}
