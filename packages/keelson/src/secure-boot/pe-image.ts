// The parts of a PE program that its signature is about: the hash that leaves out what signing changes, and the table
// that signatures stand in. Source: Microsoft's "PE Format" and "Windows Authenticode Portable Executable Signature
// Format"; UEFI's firmware computes the same hash.
import { createHash } from "node:crypto";

interface Places {
  readonly checksum: number;
  /** Of the entry that says where the table of signatures is. */
  readonly directory: number;
  readonly headers: number;
  readonly sections: readonly { readonly at: number; readonly bytes: number }[];
  readonly table: { readonly at: number; readonly bytes: number };
}

const mostSections = 96;
const pe32 = 0x10b;
const pe32Plus = 0x20b;
/** WIN_CERTIFICATE: its own header, revision 2.0, PKCS #7. */
const entryHead = 8;
const revision = 0x0200;
const signedDataType = 0x0002;

/** SHA-256 over the program without its checksum and its signatures; undefined for what is no PE program. */
export function imageHash(image: Buffer): Buffer | undefined {
  const places = placesIn(image);
  if (places === undefined) return undefined;
  const { checksum, directory, headers, sections, table } = places;
  const hash = createHash("sha256");
  hash.update(image.subarray(0, checksum));
  hash.update(image.subarray(checksum + 4, directory));
  hash.update(image.subarray(directory + 8, headers));
  let done = headers;
  for (const { at, bytes } of sections) {
    hash.update(image.subarray(at, at + bytes));
    done += bytes;
  }
  const end = image.length - table.bytes;
  if (done > end) return undefined;
  hash.update(image.subarray(done, end));
  return hash.digest();
}

/** The PKCS #7 signatures that a program carries; undefined for what is no PE program or has a broken table. */
export function signaturesIn(image: Buffer): readonly Buffer[] | undefined {
  const places = placesIn(image);
  if (places === undefined) return undefined;
  const { at, bytes } = places.table;
  const table = image.subarray(at, at + bytes);
  const found: Buffer[] = [];
  for (let position = 0; position + entryHead <= table.length;) {
    const length = table.readUInt32LE(position);
    if (length < entryHead || position + length > table.length) return undefined;
    if (table.readUInt16LE(position + 6) === signedDataType)
      found.push(table.subarray(position + entryHead, position + length));
    position += Math.ceil(length / 8) * 8;
  }
  return found;
}

/** The program as it has to be before its hash is taken: ending where a table of signatures may begin. */
export function padded(image: Buffer): Buffer {
  return Buffer.concat([image, Buffer.alloc((8 - (image.length % 8)) % 8)]);
}

/** A {@link padded} program with one more signature. Throws a TypeError for what is no PE program. */
export function withSignature(image: Buffer, signature: Buffer): Buffer {
  const places = placesIn(image);
  if (places === undefined) throw new TypeError("signatures belong into PE programs");
  const { at, bytes } = places.table;
  const length = entryHead + signature.length;
  const entry = Buffer.alloc(Math.ceil(length / 8) * 8);
  entry.writeUInt32LE(length, 0);
  entry.writeUInt16LE(revision, 4);
  entry.writeUInt16LE(signedDataType, 6);
  signature.copy(entry, entryHead);
  const signed = Buffer.concat([image, entry]);
  signed.writeUInt32LE(bytes === 0 ? image.length : at, places.directory);
  signed.writeUInt32LE(bytes + entry.length, places.directory + 4);
  return signed;
}

function placesIn(image: Buffer): Places | undefined {
  if (image.length < 64 || image.toString("latin1", 0, 2) !== "MZ") return undefined;
  const start = image.readUInt32LE(60);
  const optional = start + 24;
  if (optional + 160 > image.length || image.toString("latin1", start, start + 4) !== "PE\0\0")
    return undefined;
  const kind = image.readUInt16LE(optional);
  if (kind !== pe32 && kind !== pe32Plus) return undefined;
  const directories = optional + (kind === pe32Plus ? 112 : 96);
  // The fifth is the table of signatures.
  if (image.readUInt32LE(directories - 4) < 5) return undefined;
  const directory = directories + 4 * 8;
  const headers = image.readUInt32LE(optional + 60);
  const count = image.readUInt16LE(start + 6);
  const list = optional + image.readUInt16LE(start + 20);
  if (count > mostSections || list + count * 40 > image.length) return undefined;
  if (headers < directory + 8 || headers > image.length) return undefined;
  const sections: { at: number; bytes: number }[] = [];
  for (let at = list; at < list + count * 40; at += 40) {
    const section = { at: image.readUInt32LE(at + 20), bytes: image.readUInt32LE(at + 16) };
    if (section.at + section.bytes > image.length) return undefined;
    if (section.bytes > 0) sections.push(section);
  }
  const table = { at: image.readUInt32LE(directory), bytes: image.readUInt32LE(directory + 4) };
  // Firmware takes the table to be the file's end: anything behind it would be hashed as something else.
  if (table.bytes > 0 && table.at + table.bytes !== image.length) return undefined;
  return {
    checksum: optional + 64,
    directory,
    headers,
    sections: sections.sort((a, b) => a.at - b.at),
    table,
  };
}
