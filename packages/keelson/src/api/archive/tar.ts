// Reading a tar archive's members without unpacking it: ustar, GNU long names and base-256 sizes, pax.
// Source: tar(5), POSIX.1-2017 pax. Members' contents are skipped unless asked for.
import type { FileHandle } from "node:fs/promises";
import { KeelError } from "../../base/errors.ts";

export interface TarMember {
  readonly name: string;
  readonly size: number;
  /** Where its content starts. */
  readonly offset: number;
  readonly isFile: boolean;
}

const block = 512;
const maxMembers = 100_000;
/** Largest pax header or long name. */
const maxExtension = 1 << 20;

/** The members of the archive in order. Throws KEEL-107 for what is no tar archive, or is cut short. */
export async function* tarMembers(file: FileHandle, bytes: number): AsyncGenerator<TarMember> {
  const header = Buffer.alloc(block);
  let position = 0;
  let extended: { name?: string; size?: number } = {};
  let count = 0;
  for (;;) {
    if (position + block > bytes) {
      // An archive ends with two empty blocks, but some writers leave them out.
      if (position === bytes && count > 0) return;
      throw damaged(count === 0 ? "is no tar archive" : "is cut short");
    }
    await readFully(file, header, position);
    position += block;
    if (header.every((byte) => byte === 0)) {
      if (count === 0) throw damaged("is empty");
      return;
    }
    if (++count > maxMembers) throw damaged(`has more than ${maxMembers} members`);
    checkSum(header, count);
    const kind = String.fromCharCode(header[156] ?? 0);
    const size = extended.size ?? numberIn(header, 124, 12);
    const next = position + Math.ceil(size / block) * block;
    if (position + size > bytes) throw damaged("is cut short");
    switch (kind) {
      case "x":
        extended = { ...extended, ...paxFields(await extension(file, position, numberIn(header, 124, 12))) };
        break;
      case "L":
        extended = { ...extended, name: cString(await extension(file, position, numberIn(header, 124, 12))) };
        break;
      case "g":
      case "K":
        break;
      default:
        yield {
          name: clean(extended.name ?? nameIn(header)),
          size,
          offset: position,
          isFile: kind === "0" || kind === "\0",
        };
        extended = {};
    }
    position = next;
  }
}

/** A member's content as a whole. KEEL-107 above the limit. */
export async function readMember(file: FileHandle, member: TarMember, maxBytes: number): Promise<Buffer> {
  if (member.size > maxBytes) throw damaged(`has a ${member.name} of ${member.size} bytes`);
  const buffer = Buffer.alloc(member.size);
  await readFully(file, buffer, member.offset);
  return buffer;
}

export function damaged(what: string): KeelError {
  return new KeelError("KEEL-107", `the archive ${what}`);
}

async function extension(file: FileHandle, offset: number, size: number): Promise<Buffer> {
  if (size > maxExtension) throw damaged(`has a header of ${size} bytes`);
  const buffer = Buffer.alloc(size);
  await readFully(file, buffer, offset);
  return buffer;
}

async function readFully(file: FileHandle, buffer: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < buffer.byteLength) {
    const { bytesRead } = await file.read(buffer, done, buffer.byteLength - done, position + done);
    if (bytesRead === 0) throw damaged("is cut short");
    done += bytesRead;
  }
}

function checkSum(header: Buffer, count: number): void {
  let sum = 0;
  for (let i = 0; i < block; i++) sum += i >= 148 && i < 156 ? 32 : (header[i] ?? 0);
  const text = cString(header.subarray(148, 156)).trim();
  if (!/^[0-7]+$/.test(text) || Number.parseInt(text, 8) !== sum) {
    throw damaged(count === 1 ? "is no tar archive" : "is damaged");
  }
}

/** Octal digits, or, with the highest bit set, a binary number. */
function numberIn(header: Buffer, offset: number, length: number): number {
  const field = header.subarray(offset, offset + length);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    let value = BigInt((field[0] ?? 0) & 0x7f);
    for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged("is damaged");
    return Number(value);
  }
  const text = cString(field).trim();
  if (text === "") return 0;
  if (!/^[0-7]+$/.test(text)) throw damaged("is damaged");
  return Number.parseInt(text, 8);
}

function nameIn(header: Buffer): string {
  const name = cString(header.subarray(0, 100));
  const isUstar = header.subarray(257, 262).toString("latin1") === "ustar";
  const prefix = isUstar && header[262] === 0 ? cString(header.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end === -1 ? bytes.length : end).toString("utf8");
}

function clean(name: string): string {
  return name.replace(/^(?:\.\/)+/, "").replace(/\/+$/, "");
}

/** `LENGTH KEY=VALUE\n` records; only path and size matter. */
function paxFields(bytes: Buffer): { name?: string; size?: number } {
  const found: { name?: string; size?: number } = {};
  let position = 0;
  while (position < bytes.length) {
    const space = bytes.indexOf(0x20, position);
    const length = space === -1 ? Number.NaN : Number(bytes.subarray(position, space).toString("latin1"));
    if (!Number.isSafeInteger(length) || length <= space - position || position + length > bytes.length)
      throw damaged("is damaged");
    const record = bytes.subarray(space + 1, position + length - 1).toString("utf8");
    const equals = record.indexOf("=");
    const value = record.slice(equals + 1);
    if (record.startsWith("path=")) found.name = value;
    if (record.startsWith("size=")) {
      const size = Number(value);
      if (!Number.isSafeInteger(size) || size < 0) throw damaged("is damaged");
      found.size = size;
    }
    position += length;
  }
  return found;
}
