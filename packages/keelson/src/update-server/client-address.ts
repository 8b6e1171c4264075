import { BlockList, isIP } from "node:net";
import { KeelError } from "../base/errors.ts";

/** Proxies in a row that are believed at the most. */
const MOST_HOPS = 32;

/**
 * Whose request it is: the connection's other end, or, when that is a trusted proxy, whom the proxy names. Each
 * proxy adds the address that it sees to the end of X-Forwarded-For, so that the list is believed from its end up to
 * the first address that is not trusted. What a client wrote into it itself lies before that.
 */
export class ClientAddresses {
  readonly #trusted = new BlockList();
  readonly #trustsNobody: boolean;

  /** Takes networks (`10.0.0.0/8`, `fd00::/8`) and single addresses. Throws KEEL-106. */
  constructor(trustedProxies: readonly string[]) {
    this.#trustsNobody = trustedProxies.length === 0;
    for (const network of trustedProxies) {
      const [address = "", length, ...rest] = network.split("/");
      const family = isIP(address);
      const longest = family === 4 ? 32 : 128;
      const prefix = length === undefined ? longest : /^\d{1,3}$/.test(length) ? Number(length) : Infinity;
      if (family === 0 || prefix > longest || rest.length > 0)
        throw new KeelError("KEEL-106", `"${network}" is no network of trusted proxies`, {
          hint: "Write it as 10.0.0.0/8, fd00::/8 or a single address.",
        });
      this.#trusted.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");
    }
  }

  /** Takes the connection's address and the header. */
  of(connection: string | undefined, forwardedFor: string | undefined): string {
    let address = plainAddress(connection ?? "") ?? "unknown";
    if (this.#trustsNobody || forwardedFor === undefined) return address;
    const named = forwardedFor.split(",", MOST_HOPS + 1);
    if (named.length > MOST_HOPS) return address;
    for (const name of named.toReversed()) {
      if (!this.#trusts(address)) return address;
      const next = plainAddress(name.trim());
      // A proxy that hides its client (RFC 7239 allows "unknown"): the proxy is what is known.
      if (next === undefined) return address;
      address = next;
    }
    return address;
  }

  #trusts(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#trusted.check(address, family === 4 ? "ipv4" : "ipv6");
  }
}

/** Without port, brackets, zone, and the prefix that IPv4 has on a socket for both. */
function plainAddress(text: string): string | undefined {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1];
  const withPort = /^([\d.]+):\d+$/.exec(text)?.[1];
  const address = (bracketed ?? withPort ?? text).replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/i, "");
  return isIP(address) === 0 ? undefined : address;
}
