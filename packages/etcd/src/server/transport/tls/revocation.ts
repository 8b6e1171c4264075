// Serial numbers from a certificate revocation list (RFC 5280, 5.1), in DER or PEM. As with etcd, only the numbers
// count: who signed the list and until when it holds is the business of whoever puts the file there.

import { EtcdError } from "../../../errors.ts";

const TAG = { integer: 0x02, utcTime: 0x17, generalizedTime: 0x18, sequence: 0x30 } as const;

interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

/** The numbers as node:crypto writes them: upper-case hexadecimal. Throws INVALID_ARGUMENT for other bytes. */
export function revokedSerials(file: Buffer): ReadonlySet<string> {
  const der = fromPem(file);
  const list = elementAt(der, 0, der.length);
  const toBeSigned = elementAt(der, list.start, list.end);
  if (list.tag !== TAG.sequence || toBeSigned.tag !== TAG.sequence) throw unreadable();
  const fields = [...elements(der, toBeSigned)];
  // version?, signature, issuer, thisUpdate, nextUpdate?, revokedCertificates?, extensions?
  const lastTime = fields.findLastIndex(({ tag }) => tag === TAG.utcTime || tag === TAG.generalizedTime);
  if (lastTime < 2) throw unreadable();
  const revoked = fields[lastTime + 1];
  const serials = new Set<string>();
  if (revoked?.tag !== TAG.sequence) return serials;
  for (const entry of elements(der, revoked)) {
    const serial = elementAt(der, entry.start, entry.end);
    if (entry.tag !== TAG.sequence || serial.tag !== TAG.integer) throw unreadable();
    serials.add(serialOf(der.subarray(serial.start, serial.end)));
  }
  return serials;
}

/** An ASN.1 integer as node:crypto prints a serial number. */
function serialOf(bytes: Buffer): string {
  const hex = bytes
    .toString("hex")
    .toUpperCase()
    .replace(/^(?:00)+(?=..)/, "");
  return hex;
}

function fromPem(file: Buffer): Buffer {
  const match = /-----BEGIN X509 CRL-----([^-]+)-----END X509 CRL-----/.exec(file.toString("latin1"));
  return match?.[1] === undefined ? file : Buffer.from(match[1], "base64");
}

function* elements(der: Buffer, within: Element): Generator<Element> {
  for (let at = within.start; at < within.end;) {
    const element = elementAt(der, at, within.end);
    yield element;
    at = element.end;
  }
}

/** One element of DER, with a length of at most four bytes. */
function elementAt(der: Buffer, at: number, most: number): Element {
  if (at + 2 > most) throw unreadable();
  const first = der[at + 1] as number;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const start = at + 2 + lengthBytes;
  if (lengthBytes > 4 || first === 0x80 || start > most) throw unreadable();
  const end = start + (lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes));
  if (end > most) throw unreadable();
  return { tag: der[at] as number, start, end };
}

function unreadable(): EtcdError {
  return new EtcdError("INVALID_ARGUMENT", "the file is no certificate revocation list");
}
