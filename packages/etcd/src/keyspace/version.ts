import { bigField, bytesField, intField, WireReader } from "./wire.ts";

/**
 * One key's state from one revision on: a link in the key's history. Immutable but for the links, which
 * compaction cuts. `version` 0 marks a tombstone, the revision at which the key was deleted.
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
  /** The mvccpb.KeyValue message, encoded; of a tombstone only key and mod_revision. */
  readonly encoded: string;
  /** The key's state before. */
  previous: Version | undefined;
  /** Revision of the change that followed, 0 while there is none. */
  supersededBy = 0;

  constructor(fields: VersionFields, encoded: string, previous: Version | undefined) {
    this.key = fields.key;
    this.main = fields.main;
    this.sub = fields.sub;
    this.create = fields.create;
    this.version = fields.version;
    this.lease = fields.lease;
    this.encoded = encoded;
    this.previous = previous;
  }

  get isTombstone(): boolean {
    return this.version === 0;
  }

  get value(): string {
    return valueOf(this.encoded);
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

/** Builds the encoded KeyValue messages that the keyspace keeps. Holds a buffer that it uses again. */
export class KeyValueEncoder {
  #scratch = Buffer.allocUnsafe(4096);

  /** The mvccpb.KeyValue of a live key as one flat string. */
  encode(fields: VersionFields, value: string): string {
    const head =
      bytesField("\x0a", fields.key) +
      intField("\x10", fields.create) +
      intField("\x18", fields.main) +
      intField("\x20", fields.version);
    const tail = bigField("\x30", fields.lease);
    const text = value === "" ? head + tail : head + bytesField("\x2a", value) + tail;
    return this.#flatten(text);
  }

  /** The mvccpb.KeyValue of a tombstone. */
  encodeTombstone(key: string, main: number): string {
    return this.#flatten(bytesField("\x0a", key) + intField("\x18", main));
  }

  /** A concatenated string keeps its parts alive; what stays for long is stored as one piece. */
  #flatten(text: string): string {
    if (text.length > this.#scratch.length) this.#scratch = Buffer.allocUnsafe(text.length * 2);
    const length = this.#scratch.write(text, 0, "latin1");
    return this.#scratch.toString("latin1", 0, length);
  }
}

/** Reads an encoded KeyValue back, as from a snapshot. */
export function decodeKeyValue(bytes: Buffer): VersionFields & { readonly value: string } {
  let key = "";
  let create = 0;
  let main = 0;
  let version = 0;
  let value = "";
  let lease = 0n;
  const reader = new WireReader(bytes);
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) key = reader.bytes();
    else if (field === 2) create = reader.int();
    else if (field === 3) main = reader.int();
    else if (field === 4) version = reader.int();
    else if (field === 5) value = reader.bytes();
    else if (field === 6) lease = reader.big();
    else reader.skip();
  }
  return { key, main, sub: 0, create, version, lease, value };
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
    if (kind === 0x2a) return { tag, start: position, end: position + value };
    if ((kind & 7) === 2) position += value;
  }
  return undefined;
}
