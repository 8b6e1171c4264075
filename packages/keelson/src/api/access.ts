// Who may do what: the sockets may change things, TCP may only read unless the configuration opens a listener for
// fleetctl, and a web page elsewhere may do neither.
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { KeelError } from "../base/errors.ts";

/** Where a request came in. */
export type Entrance = "socket" | "tcp" | "open-tcp";

const reading = new Set(["GET", "HEAD"]);

/**
 * Throws KEEL-604 for what an entrance does not allow. A Host header that is neither an address, nor localhost,
 * nor a name of this machine is refused on TCP: a page on another site could otherwise read through a name that it
 * points here (DNS rebinding). A browser's cross-site request is refused for the same reason.
 */
export function checkAccess(incoming: IncomingMessage, entrance: Entrance, names: ReadonlySet<string>): void {
  if (entrance === "socket") return;
  const method = incoming.method ?? "GET";
  if (!reading.has(method) && entrance === "tcp") {
    throw new KeelError(
      "KEEL-604",
      `${method} ${pathOf(incoming)} is not answered on TCP: this listener only reads`,
    );
  }
  const host = hostOf(incoming.headers.host ?? "");
  if (isIP(host) === 0 && host !== "localhost" && !names.has(host)) {
    throw new KeelError("KEEL-604", `requests for the host "${host.slice(0, 80)}" are not answered here`, {
      hint: "Use this machine’s address or its name.",
    });
  }
  const site = incoming.headers["sec-fetch-site"];
  const navigates = incoming.headers["sec-fetch-mode"] === "navigate" && reading.has(method);
  // What changes something here is no browser: one says whose page it acts for.
  const isPage = !reading.has(method) && (incoming.headers.origin ?? site) !== undefined;
  if (isPage || ((site === "cross-site" || site === "same-site") && !navigates)) {
    throw new KeelError("KEEL-604", "requests from pages of another site are not answered here");
  }
}

/** The host of a Host header, lower case, without port and brackets. */
export function hostOf(header: string): string {
  const bracketed = /^\[([0-9a-fA-F:.]+)\](?::\d+)?$/.exec(header);
  if (bracketed) return (bracketed[1] ?? "").toLowerCase();
  return header.replace(/:\d+$/, "").toLowerCase();
}

/** The path that was asked for, without its query; of a whole URL too, which Go's clients of fleet's API send. */
export function pathOf(incoming: IncomingMessage): string {
  return (
    (incoming.url ?? "/")
      .replace(/^https?:\/\/[^/?]*/, "")
      .split("?", 1)[0]
      ?.slice(0, 200) ?? "/"
  );
}
