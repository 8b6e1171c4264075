// Who may ask over HTTP: pages of other origins (CORS), and, without TLS, which host names may be used, so that no
// page of the web can reach the server under a name of its own making (CVE-2018-5702). As etcd's access controller.

import type { RequestListener } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { send } from "../transport/http.ts";

export interface AccessOptions {
  /** Origins that may ask; empty or "*" for all. */
  readonly cors: readonly string[];
  /** Names by which the server may be called without TLS; empty or "*" for all. */
  readonly hosts: readonly string[];
  /**
   * Whether clients' certificates say who asks. The gateway asks in nobody's name, so that one with a common name
   * is refused there rather than misunderstood.
   */
  readonly usesCertificates: () => boolean;
}

/** Answers what may not pass, and hands on the rest. */
export function accessController(next: RequestListener, options: AccessOptions): RequestListener {
  const { cors, hosts, usesCertificates } = options;
  const everyOrigin = cors.length === 0 || cors.includes("*");
  const everyHost = hosts.length === 0 || hosts.includes("*");
  return (request, response) => {
    const isSecure = "encrypted" in request.socket;
    const host = hostName(request.headers.host ?? "");
    if (!isSecure && !everyHost && !hosts.includes(host)) return send(response, 421, unknownHost(host));
    if (
      isSecure &&
      isGateway(request.url ?? "") &&
      usesCertificates() &&
      commonNameOf(request.socket) !== ""
    ) {
      return send(response, 400, NAMED_CERTIFICATE);
    }
    const { origin = "" } = request.headers;
    if (everyOrigin || cors.includes(origin)) {
      response.setHeader("access-control-allow-methods", "POST, GET, OPTIONS, PUT, DELETE");
      response.setHeader("access-control-allow-origin", everyOrigin ? "*" : origin);
      response.setHeader("access-control-allow-headers", "accept, content-type, authorization");
    }
    if (request.method === "OPTIONS") response.writeHead(200).end();
    else next(request, response);
  };
}

const NAMED_CERTIFICATE =
  "CommonName of client sending a request against gateway will be ignored and not used as expected\n";

function isGateway(path: string): boolean {
  return path.startsWith("/v3/") || path.startsWith("/v3beta/");
}

function commonNameOf(socket: Socket): string {
  return "getPeerCertificate" in socket
    ? String((socket as TLSSocket).getPeerCertificate().subject?.CN ?? "")
    : "";
}

/** Without its port. */
function hostName(host: string): string {
  const [, bracketed] = /^\[([^\]]*)\]/.exec(host) ?? [];
  return bracketed ?? host.replace(/:\d*$/, "");
}

function unknownHost(host: string): string {
  return `the server is not known by the name ${JSON.stringify(host)}: give it with --host-whitelist, or use TLS\n`;
}
