import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import type { TlsOptions } from "../../options.ts";

/** Longest chain that is looked at. */
const MOST_CERTIFICATES = 10;

export type Verdict =
  | { readonly isAccepted: true; readonly commonName: string | undefined }
  | { readonly isAccepted: false; readonly reason: string };

/** Whether a client may come in, by the certificate that it showed. The chain itself was verified in the handshake. */
export function judgeClient(socket: TLSSocket, options: TlsOptions, revoked: ReadonlySet<string>): Verdict {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  if (certificate === undefined) return { isAccepted: true, commonName: undefined };
  for (const { serialNumber } of chainOf(certificate)) {
    if (revoked.has(serialNumber)) return refused(`the certificate ${serialNumber} is revoked`);
  }
  const commonName = commonNameOf(socket);
  const { allowedCn, allowedHostname } = options;
  if (allowedCn !== undefined && commonName !== allowedCn)
    return refused("its common name is not the allowed one");
  if (allowedHostname !== undefined && !isFor(certificate, allowedHostname)) {
    return refused("it is not made for the allowed host name");
  }
  return { isAccepted: true, commonName };
}

function refused(why: string): Verdict {
  return { isAccepted: false, reason: `client certificate authentication failed: ${why}` };
}

function* chainOf(certificate: X509Certificate): Generator<X509Certificate> {
  let next: X509Certificate | undefined = certificate;
  for (let count = 0; next !== undefined && count < MOST_CERTIFICATES; count++) {
    yield next;
    next = next.issuerCertificate;
  }
}

/** The last of several, as Go has it. */
function commonNameOf(socket: TLSSocket): string {
  const { CN } = socket.getPeerCertificate().subject as { readonly CN?: string | string[] };
  return (Array.isArray(CN) ? CN.at(-1) : CN) ?? "";
}

function isFor(certificate: X509Certificate, host: string): boolean {
  const found =
    isIP(host) === 0 ? certificate.checkHost(host, { subject: "never" }) : certificate.checkIP(host);
  return found !== undefined;
}
