import { took, type Place, type Slab, type Slabs } from "./slabs.ts";
import { bigField, WireReader, writeVarint } from "./wire.ts";

const TAG = { key: 0x0a, create: 0x10, mod: 0x18, version: 0x20, value: 0x2a } as const;

/**
 * One key's state from one revision on: a link in the key's history. Immutable but for the links, which
 * compaction cuts, and the place of its bytes. `version` 0 marks a tombstone, the revision at which the key was
 * deleted.
 */
export class Version {
  readonly key: string;
  /** Revision of the transaction. */
  readonly main: number;
  /** Place of the change within its transaction. */
  readonly sub: number;
  /** Revision at which the key was created. */
  readonly create: number;
  /** Changes since the key was created, from 1; 0 for a tombstone. */
  readonly version: number;
  readonly lease: bigint;
  #slab: Slab;
  #offset: number;
  /** Bytes of the encoded message. */
  readonly length: number;
  /** The key's state before. */
  previous: Version | undefined;
  /** Revision of the change that followed, 0 while there is none. */
  supersededBy = 0;

  constructor(fields: VersionFields, place: Place, previous: Version | undefined) {
    this.key = fields.key;
    this.main = fields.main;
    this.sub = fields.sub;
    this.create = fields.create;
    this.version = fields.version;
    this.lease = fields.lease;
    this.#slab = place.slab;
    this.#offset = place.offset;
    this.length = place.length;
    this.previous = previous;
  }

  get isTombstone(): boolean {
    return this.version === 0;
  }

  /** The mvccpb.KeyValue message, encoded; of a tombstone only key and mod_revision. */
  get encoded(): string {
    return this.#slab.bytes.toString("latin1", this.#offset, this.#offset + this.length);
  }

  get value(): string {
    return valueOf(this.encoded);
  }

  /** Copies the encoded message; returns where it ends. */
  copyTo(target: Buffer, at: number): number {
    this.#slab.bytes.copy(target, at, this.#offset, this.#offset + this.length);
    return at + this.length;
  }

  /** Its bytes are not kept any longer. They can still be read while somebody holds on to it. */
  drop(): void {
    this.#slab.kept -= this.length;
  }

  /** Moves the bytes if few others are left beside them. */
  settle(slabs: Slabs): void {
    if (!slabs.isSparse(this.#slab)) return;
    const slab = slabs.withRoom(this.length);
    this.copyTo(slab.bytes, slab.used);
    this.drop();
    this.#slab = slab;
    this.#offset = took(slab, this.length).offset;
  }
}

export interface VersionFields {
  readonly key: string;
  readonly main: number;
  readonly sub: number;
  readonly create: number;
  readonly version: number;
  readonly lease: bigint;
}

/** Most bytes of a KeyValue besides its key and its value. */
const FIELDS_BYTES = 64;

/** Writes the mvccpb.KeyValue of a live key. */
export function writeKeyValue(slabs: Slabs, fields: VersionFields, value: string): Place {
  const { key, create, main, version, lease } = fields;
  const slab = slabs.withRoom(key.length + value.length + FIELDS_BYTES);
  const { bytes } = slab;
  let at = writeText(bytes, slab.used, { tag: TAG.key, text: key });
  if (create !== 0) at = writeNumber(bytes, at, { tag: TAG.create, value: create });
  if (main !== 0) at = writeNumber(bytes, at, { tag: TAG.mod, value: main });
  if (version !== 0) at = writeNumber(bytes, at, { tag: TAG.version, value: version });
  if (value !== "") at = writeText(bytes, at, { tag: TAG.value, text: value });
  if (lease !== 0n) at += bytes.write(bigField("\x30", lease), at, "latin1");
  return took(slab, at - slab.used);
}

/** Writes the mvccpb.KeyValue of a tombstone. */
export function writeTombstone(slabs: Slabs, key: string, main: number): Place {
  const slab = slabs.withRoom(key.length + FIELDS_BYTES);
  const at = writeText(slab.bytes, slab.used, { tag: TAG.key, text: key });
  return took(slab, writeNumber(slab.bytes, at, { tag: TAG.mod, value: main }) - slab.used);
}

/** Takes up a message that is encoded already. */
export function writeEncoded(slabs: Slabs, encoded: Buffer): Place {
  const slab = slabs.withRoom(encoded.length);
  encoded.copy(slab.bytes, slab.used);
  return took(slab, encoded.length);
}

function writeText(
  bytes: Buffer,
  at: number,
  { tag, text }: { readonly tag: number; readonly text: string },
): number {
  bytes[at] = tag;
  const start = writeVarint(bytes, at + 1, text.length);
  return start + bytes.write(text, start, "latin1");
}

function writeNumber(
  bytes: Buffer,
  at: number,
  { tag, value }: { readonly tag: number; readonly value: number },
): number {
  bytes[at] = tag;
  return writeVarint(bytes, at + 1, value);
}

/** Reads an encoded KeyValue back, as from a snapshot. */
export function decodeKeyValue(bytes: Buffer): VersionFields & { readonly value: string } {
  let value = "";
  const fields = decodeFields(bytes, (reader) => (value = reader.bytes()));
  return { ...fields, value };
}

/** The same without reading the value. */
export function decodeFields(
  bytes: Buffer,
  takeValue: (reader: WireReader) => void = (reader) => reader.skip(),
): VersionFields {
  let key = "";
  let create = 0;
  let main = 0;
  let version = 0;
  let lease = 0n;
  const reader = new WireReader(bytes);
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) key = reader.bytes();
    else if (field === 2) create = reader.int();
    else if (field === 3) main = reader.int();
    else if (field === 4) version = reader.int();
    else if (field === 5) takeValue(reader);
    else if (field === 6) lease = reader.big();
    else reader.skip();
  }
  return { key, main, sub: 0, create, version, lease };
}

/** The same message without its value, for a range that asked for keys only. */
export function withoutValue(encoded: string): string {
  const field = locateValue(encoded);
  return field === undefined ? encoded : encoded.slice(0, field.tag) + encoded.slice(field.end);
}

function valueOf(encoded: string): string {
  const field = locateValue(encoded);
  return field === undefined ? "" : encoded.slice(field.start, field.end);
}

function locateValue(encoded: string): { tag: number; start: number; end: number } | undefined {
  let position = 0;
  while (position < encoded.length) {
    const tag = position;
    const kind = encoded.charCodeAt(position++);
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = encoded.charCodeAt(position++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    if (kind === TAG.value) return { tag, start: position, end: position + value };
    if ((kind & 7) === 2) position += value;
  }
  return undefined;
}
