// A PE program of a few hundred bytes: headers, two sections that do not stand in their order, and a tail.
import { generateKeyPairSync } from "node:crypto";
import { selfSigned } from "../../src/secure-boot/certificate.ts";
import type { Signer } from "../../src/secure-boot/sign.ts";

const headers = 512;

export function smallProgram(tail = 5): Buffer {
  const image = Buffer.alloc(headers + 48 + tail, 7);
  image.fill(0, 0, headers);
  image.write("MZ", 0, "latin1");
  image.writeUInt32LE(64, 60);
  image.write("PE\0\0", 64, "latin1");
  image.writeUInt16LE(0x8664, 68);
  image.writeUInt16LE(2, 70);
  const optional = 88;
  image.writeUInt16LE(240, 84);
  image.writeUInt16LE(0x20b, optional);
  image.writeUInt32LE(headers, optional + 60);
  image.writeUInt32LE(16, optional + 108);
  const sections = optional + 240;
  for (const [index, [at, bytes]] of [
    [headers + 16, 32],
    [headers, 16],
  ].entries()) {
    image.write(`.s${index}`, sections + index * 40, "latin1");
    image.writeUInt32LE(bytes ?? 0, sections + index * 40 + 16);
    image.writeUInt32LE(at ?? 0, sections + index * 40 + 20);
  }
  return image;
}

/** Where the checksum stands in it, and the entry about its signatures: neither is signed. */
export const unsignedPlaces = [
  { at: 88 + 64, bytes: 4 },
  { at: 88 + 112 + 32, bytes: 8 },
] as const;

export const now = 1_790_000_000;

export function newSigner(commonName: string): Signer {
  const { privateKey: key } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { key, certificate: selfSigned(key, { commonName, from: now, until: now + 86_400 }) };
}
