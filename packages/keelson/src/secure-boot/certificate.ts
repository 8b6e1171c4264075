// A certificate that signs itself: firmware compares it, and asks no authority. Source: RFC 5280.
import { createHash, createPublicKey, sign, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { der, inContext, integer, octets, sequence, setOf, tags } from "./der.ts";
import { algorithm, ids } from "./object-ids.ts";

export interface CertificateFacts {
  readonly commonName: string;
  /** Seconds since 1970. */
  readonly from: number;
  /** Firmware does not look at it; those who sign do. */
  readonly until: number;
}

/** The certificate of a private RSA key. */
export function selfSigned(key: KeyObject, { commonName, from, until }: CertificateFacts): X509Certificate {
  const name = sequence(
    setOf(sequence(ids.commonName, der(tags.utf8, Buffer.from(commonName.slice(0, 64), "utf8")))),
  );
  const open = createPublicKey(key).export({ type: "spki", format: "der" });
  const identity = createHash("sha256").update(open).update(String(from)).digest().subarray(0, 16);
  // A serial number is positive.
  const serial = Buffer.concat([Buffer.of(((identity[0] ?? 0) & 0x7f) | 0x40), identity.subarray(1)]);
  const extension = (id: Buffer, value: Buffer, isCritical = false): Buffer =>
    sequence(id, ...(isCritical ? [der(tags.boolean, Buffer.of(0xff))] : []), octets(value));
  const body = sequence(
    der(inContext(0), integer(2)),
    integer(serial),
    algorithm(ids.rsaWithSha256),
    name,
    sequence(time(from), time(until)),
    name,
    open,
    der(
      inContext(3),
      sequence(
        extension(ids.basicConstraints, sequence(der(tags.boolean, Buffer.of(0xff))), true),
        // Signatures, and signatures on certificates.
        extension(ids.keyUsage, der(tags.bits, Buffer.of(2, 0x84)), true),
        extension(ids.subjectKey, octets(createHash("sha256").update(open).digest().subarray(0, 20))),
      ),
    ),
  );
  const signature = der(tags.bits, Buffer.of(0), sign("sha256", body, key));
  return new X509Certificate(sequence(body, algorithm(ids.rsaWithSha256), signature));
}

function time(seconds: number): Buffer {
  const digits = new Date(seconds * 1000).toISOString().replace(/[-:T]|\.\d+/g, "");
  // From 2050 on the year has four digits.
  return digits < "2050"
    ? der(tags.utcTime, Buffer.from(digits.slice(2)))
    : der(tags.generalTime, Buffer.from(digits));
}
