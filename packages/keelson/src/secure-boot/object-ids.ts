// Names that signatures are made of: RFC 5652, RFC 8017, RFC 5280, and Microsoft's "Windows Authenticode Portable
// Executable Signature Format".
import { nothing, oid, sequence } from "./der.ts";

export const ids = {
  signedData: oid("1.2.840.113549.1.7.2"),
  plainData: oid("1.2.840.113549.1.7.1"),
  contentType: oid("1.2.840.113549.1.9.3"),
  messageDigest: oid("1.2.840.113549.1.9.4"),
  sha256: oid("2.16.840.1.101.3.4.2.1"),
  rsa: oid("1.2.840.113549.1.1.1"),
  rsaWithSha256: oid("1.2.840.113549.1.1.11"),
  indirectData: oid("1.3.6.1.4.1.311.2.1.4"),
  imageData: oid("1.3.6.1.4.1.311.2.1.15"),
  commonName: oid("2.5.4.3"),
  basicConstraints: oid("2.5.29.19"),
  keyUsage: oid("2.5.29.15"),
  subjectKey: oid("2.5.29.14"),
} as const;

/** An algorithm without parameters. */
export const algorithm = (id: Buffer): Buffer => sequence(id, nothing);
