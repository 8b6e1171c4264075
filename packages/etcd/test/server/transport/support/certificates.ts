// Certificates for tests, made here: an authority, what it signs, and its revocation list (RFC 5280, in DER).
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import { join } from "node:path";

const OID = {
  commonName: "0603550403",
  ecdsaWithSha256: "06082a8648ce3d040302",
  basicConstraints: "0603551d13",
  keyUsage: "0603551d0f",
  extendedKeyUsage: "0603551d25",
  alternativeName: "0603551d11",
  serverAuth: "06082b06010505070301",
  clientAuth: "06082b06010505070302",
} as const;
const VALID = [utcTime("240101000000Z"), utcTime("491231235959Z")];
/** Long over: as with etcd, the age of a revocation list does not count. */
const LIST_TIMES = [utcTime("240101000000Z"), utcTime("240108000000Z")];

/** Files of one certificate, as PEM. */
export interface IssuedFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Upper-case hexadecimal. */
  readonly serial: string;
}

export class TestAuthority {
  readonly caFile: string;
  readonly #folder: string;
  readonly #name: Buffer;
  readonly #key: KeyObject;
  #count = 0;

  /** Keeps its files in a folder. */
  constructor(folder: string, name = "test authority") {
    this.#folder = folder;
    this.#name = nameOf(name);
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#key = privateKey;
    const extensions = [
      extension(OID.basicConstraints, sequence(Buffer.from("0101ff", "hex"))),
      extension(OID.keyUsage, Buffer.from("03020106", "hex")),
    ];
    const { der } = this.#certificate(this.#name, publicKey, extensions);
    this.caFile = this.#write(`${name.replaceAll(" ", "-")}.pem`, pem("CERTIFICATE", der));
  }

  /** A certificate for a server and a client, with the given names of hosts or addresses. */
  issue(commonName: string, hosts: readonly string[] = ["localhost", "127.0.0.1"]): IssuedFiles {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const names = hosts.map((host) =>
      isIPv4(host)
        ? element(0x87, Buffer.from(host.split(".").map(Number)))
        : element(0x82, Buffer.from(host)),
    );
    const { der, serial } = this.#certificate(nameOf(commonName), publicKey, [
      extension(OID.extendedKeyUsage, sequence(hex(OID.serverAuth), hex(OID.clientAuth))),
      ...(hosts.length === 0 ? [] : [extension(OID.alternativeName, sequence(...names))]),
    ]);
    const name = `${++this.#count}-${commonName.replaceAll(/\W/g, "-")}`;
    return {
      certFile: this.#write(`${name}.pem`, pem("CERTIFICATE", der)),
      keyFile: this.#write(`${name}.key`, privateKey.export({ type: "pkcs8", format: "pem" }).toString()),
      serial,
    };
  }

  /** A list of revoked certificates, in DER. */
  revoke(serials: readonly string[]): Buffer {
    const entries = serials.map((serial) => sequence(integer(hex(serial)), VALID[0] as Buffer));
    const list = serials.length === 0 ? [] : [sequence(...entries)];
    const version = integer(Buffer.from([1]));
    return this.#signed(sequence(version, algorithm(), this.#name, ...LIST_TIMES, ...list));
  }

  #certificate(
    subject: Buffer,
    key: KeyObject,
    extensions: readonly Buffer[],
  ): { der: Buffer; serial: string } {
    const serial = Buffer.concat([Buffer.from([0x4d]), randomBytes(15)]);
    const body = sequence(
      element(0xa0, integer(Buffer.from([2]))),
      integer(serial),
      algorithm(),
      this.#name,
      sequence(...VALID),
      subject,
      key.export({ type: "spki", format: "der" }),
      element(0xa3, sequence(...extensions)),
    );
    return { der: this.#signed(body), serial: serial.toString("hex").toUpperCase() };
  }

  #signed(body: Buffer): Buffer {
    const signature = sign("sha256", body, this.#key);
    return sequence(body, algorithm(), element(0x03, Buffer.concat([Buffer.from([0]), signature])));
  }

  #write(name: string, text: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }
}

export function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

function element(tag: number, body: Buffer): Buffer {
  const { length } = body;
  const head = length < 0x80 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), body]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return element(0x30, Buffer.concat(parts));
}

function integer(bytes: Buffer): Buffer {
  return element(0x02, bytes);
}

function hex(text: string): Buffer {
  return Buffer.from(text, "hex");
}

function algorithm(): Buffer {
  return sequence(hex(OID.ecdsaWithSha256));
}

function nameOf(commonName: string): Buffer {
  return sequence(element(0x31, sequence(hex(OID.commonName), element(0x0c, Buffer.from(commonName)))));
}

function extension(oid: string, value: Buffer): Buffer {
  return sequence(hex(oid), element(0x04, value));
}

function utcTime(text: string): Buffer {
  return element(0x17, Buffer.from(text));
}
