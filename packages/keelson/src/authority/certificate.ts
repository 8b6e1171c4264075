// What is said in a certificate, and whether it is still good. Text in, facts out.
import { createPublicKey, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { KeelError } from "../base/errors.ts";

/** Largest certificate or request that is read, in characters. */
export const maxPemLength = 8192;

export interface CertificateFacts {
  /** Common name of the subject. */
  readonly name: string;
  /** SHA-256 of the certificate, 64 hexadecimal digits. */
  readonly fingerprint: string;
  /** Unix milliseconds. */
  readonly from: number;
  readonly until: number;
}

/** Reads a certificate in PEM. Throws KEEL-411. */
export function readCertificate(pem: string): X509Certificate {
  try {
    if (pem.length > maxPemLength) throw new Error(`it has ${pem.length} characters`);
    return new X509Certificate(pem);
  } catch (cause) {
    throw new KeelError("KEEL-411", `this is no certificate: ${(cause as Error).message}`, { cause });
  }
}

export function certificateFacts(pem: string): CertificateFacts {
  const certificate = readCertificate(pem);
  return {
    name: /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? "",
    fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    from: certificate.validFromDate.getTime(),
    until: certificate.validToDate.getTime(),
  };
}

export interface CertificateNeeds {
  /** The authority's certificate, in PEM. */
  readonly authority: string;
  readonly key: KeyObject;
  /** What it must be good for: an address of the machine; none for a client. */
  readonly addresses?: readonly string[];
  /** Unix milliseconds. */
  readonly now: number;
}

/**
 * Why a certificate is not to be used, or is to be renewed, in words; undefined when it is good. Renewed is when
 * two thirds of its time are over.
 */
export function certificateProblem(pem: string | undefined, needs: CertificateNeeds): string | undefined {
  if (pem === undefined) return "there is none yet";
  let certificate: X509Certificate;
  let authority: X509Certificate;
  try {
    certificate = readCertificate(pem);
    authority = readCertificate(needs.authority);
  } catch (error) {
    return (error as Error).message;
  }
  if (!certificate.verify(authority.publicKey)) return "another authority signed it";
  if (!certificate.publicKey.equals(createPublicKey(needs.key))) return "it belongs to another key";
  const missing = (needs.addresses ?? []).find((address) => certificate.checkIP(address) === undefined);
  if (missing !== undefined) return `it does not name the address ${missing}`;
  const from = certificate.validFromDate.getTime();
  const until = certificate.validToDate.getTime();
  if (needs.now >= until) return "it has expired";
  return needs.now > from + ((until - from) * 2) / 3 ? "it expires before long" : undefined;
}
