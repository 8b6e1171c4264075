// Signs programs that firmware starts, and variables of the firmware itself. A signature holds no time and no chance:
// the same program and key give the same bytes.
import { createHash, sign } from "node:crypto";
import type { KeyObject, X509Certificate } from "node:crypto";
import { asContext, der, inContext, integer, octets, sequence, setOf, elements, tags } from "./der.ts";
import { algorithm, ids } from "./object-ids.ts";
import { imageHash, padded, withSignature } from "./pe-image.ts";

/** A private RSA key, and the certificate by which firmware knows it. */
export interface Signer {
  readonly key: KeyObject;
  readonly certificate: X509Certificate;
}

/** The program with a signature more. Throws a TypeError for what is no PE program. */
export function signImage(image: Buffer, signer: Signer): Buffer {
  const whole = padded(image);
  const hash = imageHash(whole);
  if (hash === undefined) throw new TypeError("only PE programs are signed");
  const content = sequence(sequence(ids.imageData, imageData), sequence(algorithm(ids.sha256), octets(hash)));
  // What is hashed is the content without its own tag and length.
  const digest = sha256(content.subarray(content.length - contentLength(content)));
  const attributes = [
    sequence(ids.contentType, setOf(ids.indirectData)),
    sequence(ids.messageDigest, setOf(octets(digest))),
  ];
  const signature = sign("sha256", setOf(...attributes), signer.key);
  const signedData = sequence(
    integer(1),
    setOf(algorithm(ids.sha256)),
    sequence(ids.indirectData, der(inContext(0), content)),
    der(inContext(0), signer.certificate.raw),
    setOf(signerInfo(signer, signature, retagged(setOf(...attributes)))),
  );
  return withSignature(whole, sequence(ids.signedData, der(inContext(0), signedData)));
}

/** A signature over data that lies elsewhere, as firmware wants it of a variable: PKCS #7 without a wrapper. */
export function signDetached(data: Uint8Array, signer: Signer): Buffer {
  return sequence(
    integer(1),
    setOf(algorithm(ids.sha256)),
    sequence(ids.plainData),
    der(inContext(0), signer.certificate.raw),
    setOf(signerInfo(signer, sign("sha256", data, signer.key))),
  );
}

function signerInfo({ certificate }: Signer, signature: Buffer, attributes?: Buffer): Buffer {
  return sequence(
    integer(1),
    issuerAndSerial(certificate.raw),
    algorithm(ids.sha256),
    ...(attributes === undefined ? [] : [attributes]),
    algorithm(ids.rsa),
    octets(signature),
  );
}

/** What a signature names its certificate by, taken out of the certificate. RFC 5280: TBSCertificate. */
export function issuerAndSerial(certificate: Buffer): Buffer {
  const body = elements(
    elements(elements(certificate)?.[0]?.content ?? Buffer.alloc(0))?.[0]?.content ?? none,
  );
  const fields = body?.[0]?.tag === inContext(0) ? body.slice(1) : body;
  const [serial, , issuer] = fields ?? [];
  if (serial === undefined || issuer === undefined) throw new TypeError("no certificate");
  return sequence(issuer.whole, serial.whole);
}

const none = Buffer.alloc(0);

/** "A program": what every signer of PE programs writes here, the obsolete name included. */
const imageData = sequence(
  der(tags.bits, Buffer.of(0)),
  der(inContext(0), der(inContext(2), der(asContext(0), Buffer.from("<<<Obsolete>>>", "utf16le").swap16()))),
);

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function contentLength(element: Buffer): number {
  return elements(element)?.[0]?.content.length ?? 0;
}

/** Attributes are signed as a set and stand in the signature as `[0]`. */
function retagged(set: Buffer): Buffer {
  const copy = Buffer.from(set);
  copy[0] = inContext(0);
  return copy;
}
