// What firmware keeps its keys in: lists of certificates and of hashes of programs. Source: UEFI 2.10, section 32.4.1
// "Signature Database".
import { X509Certificate } from "node:crypto";

export interface SignatureList {
  readonly certificates: readonly X509Certificate[];
  /** SHA-256 of programs. */
  readonly hashes: readonly Buffer[];
}

const types = {
  certificate: guidBytes("a5c059a1-94e4-4aa7-87b5-ab155c2bf072"),
  sha256: guidBytes("c1c41626-504c-4092-aca9-41f936934328"),
} as const;
const headBytes = 28;
const ownerBytes = 16;

/** One list with one certificate; `owner` is a UUID that says who put it there. */
export function writeSignatureList(certificate: X509Certificate, owner: string): Buffer {
  const { raw } = certificate;
  const head = Buffer.alloc(headBytes);
  types.certificate.copy(head);
  head.writeUInt32LE(headBytes + ownerBytes + raw.length, 16);
  head.writeUInt32LE(ownerBytes + raw.length, 24);
  return Buffer.concat([head, guidBytes(owner), raw]);
}

/** What is in a variable of the firmware. Entries of kinds that are not known, and what is broken, are left out. */
export function readSignatureLists(bytes: Buffer): SignatureList {
  const certificates: X509Certificate[] = [];
  const hashes: Buffer[] = [];
  for (let at = 0; at + headBytes <= bytes.length;) {
    const whole = bytes.readUInt32LE(at + 16);
    const size = bytes.readUInt32LE(at + 24);
    const end = at + whole;
    if (whole < headBytes || end > bytes.length || size <= ownerBytes) break;
    const type = bytes.subarray(at, at + 16);
    for (let entry = at + headBytes + bytes.readUInt32LE(at + 20); entry + size <= end; entry += size) {
      const data = bytes.subarray(entry + ownerBytes, entry + size);
      if (type.equals(types.sha256)) hashes.push(Buffer.from(data));
      if (type.equals(types.certificate)) certificates.push(...readCertificate(data));
    }
    at = end;
  }
  return { certificates, hashes };
}

function readCertificate(bytes: Buffer): readonly X509Certificate[] {
  try {
    return [new X509Certificate(bytes)];
  } catch {
    return [];
  }
}

/** A UUID as firmware keeps it: the first three groups with their least byte first. */
export function guidBytes(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll("-", ""), "hex");
  bytes.subarray(0, 4).swap32();
  bytes.subarray(4, 6).swap16();
  bytes.subarray(6, 8).swap16();
  return bytes;
}
