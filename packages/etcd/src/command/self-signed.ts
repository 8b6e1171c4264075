// A certificate that nobody but itself vouches for, for --auto-tls: it hides what is said from who listens, and proves
// nothing about who says it. Written by hand, since Node can read certificates and not make them.
// Sources: RFC 5280 (certificates), X.690 (DER).

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;
/** Encoded object identifiers. */
const OID = {
  ecdsaWithSha256: "2a8648ce3d040302",
  organization: "55040a",
  keyUsage: "551d0f",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  extendedKeyUsage: "551d25",
  serverAuth: "2b06010505070301",
  clientAuth: "2b06010505070302",
} as const;
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;

export interface SelfSignedFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Files in a folder, made if they are not there; those of an earlier start are used again, as etcd does. */
export function selfSignedFiles(
  folder: string,
  { hosts, years, now }: { readonly hosts: readonly string[]; readonly years: number; readonly now: Date },
): SelfSignedFiles {
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  if (existsSync(certFile) && existsSync(keyFile)) return { certFile, keyFile };
  const { certificate, key } = selfSigned(hosts, { from: now, years });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(keyFile, key, { mode: 0o600 });
  writeFileSync(certFile, certificate, { mode: 0o644 });
  return { certFile, keyFile };
}

/** A certificate and its key, PEM. `hosts` are names and addresses. */
export function selfSigned(
  hosts: readonly string[],
  { from, years }: { readonly from: Date; readonly years: number },
): { readonly certificate: string; readonly key: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const until = new Date(from);
  until.setUTCFullYear(until.getUTCFullYear() + years);
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const name = sequence(der(TAG.set, sequence(oid(OID.organization), der(TAG.utf8, Buffer.from("etcd")))));
  const serial = Buffer.concat([Buffer.of(0x01), randomBytes(15)]);
  const body = sequence(
    der(0xa0, der(TAG.integer, Buffer.of(2))),
    der(TAG.integer, serial),
    algorithm,
    name,
    sequence(time(from), time(until)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions(hosts))),
  );
  const signature = sign("sha256", body, privateKey);
  const whole = sequence(body, algorithm, bitString(signature));
  const lines = whole.toString("base64").replaceAll(/.{1,64}/g, "$&\n");
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

function extensions(hosts: readonly string[]): readonly Buffer[] {
  const names = hosts.map((host) =>
    isIP(host) === 0 ? der(DNS_NAME, Buffer.from(host)) : der(IP_ADDRESS, addressBytes(host)),
  );
  // For signatures (bit 0) and for keys that are sent enciphered (bit 2), as etcd has it.
  const usage = der(TAG.bitString, Buffer.of(2, 0b1010_0000));
  return [
    extension(OID.keyUsage, usage),
    extension(OID.extendedKeyUsage, sequence(oid(OID.serverAuth), oid(OID.clientAuth))),
    extension(OID.basicConstraints, sequence()),
    ...(names.length === 0 ? [] : [extension(OID.subjectAltName, sequence(...names))]),
  ];
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), der(TAG.octetString, value));
}

/** Four bytes or sixteen. */
function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  const { hostname } = new URL(`http://[${address}]`);
  const [head = "", tail = ""] = hostname.slice(1, -1).split("::");
  const groups = (text: string): readonly string[] => (text === "" ? [] : text.split(":"));
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: missing }, () => "0"), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...head), value]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(TAG.sequence, ...parts);
}

function oid(hex: string): Buffer {
  return der(TAG.oid, Buffer.from(hex, "hex"));
}

function bitString(value: Buffer): Buffer {
  return der(TAG.bitString, Buffer.of(0), value);
}

/** With two digits of the year until 2049, and four from then on (RFC 5280, 4.1.2.5). */
function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return date.getUTCFullYear() < 2050
    ? der(TAG.utcTime, Buffer.from(digits.slice(2)))
    : der(TAG.generalizedTime, Buffer.from(digits));
}
