// DER, as much of it as signatures and certificates need (X.690): what is written has the one form that it may have,
// and what is read stays inside its bounds whatever the bytes say.

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  nothing: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalTime: 0x18,
} as const;

/** `[n]` with what it holds inside; `[n]` in place of another primitive tag. */
export const inContext = (n: number): number => 0xa0 | n;
export const asContext = (n: number): number => 0x80 | n;

/** A value of a tag below 31, made of its parts. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  const digits = Buffer.from(length.toString(16).padStart(length > 0xffffff ? 8 : 6, "0"), "hex");
  const from = digits.findIndex((digit) => digit !== 0);
  return Buffer.concat([Buffer.of(tag, 0x80 | (digits.length - from)), digits.subarray(from), content]);
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => der(tags.sequence, ...parts);
export const octets = (content: Uint8Array): Buffer => der(tags.octets, content);
export const nothing = der(tags.nothing);

/** A set, its members in the order that DER wants. */
export function setOf(...members: readonly Uint8Array[]): Buffer {
  return der(tags.set, ...members.toSorted((a, b) => Buffer.compare(a, b)));
}

/** A number that is not negative, most significant byte first. */
export function integer(value: number | Uint8Array): Buffer {
  const bytes = typeof value === "number" ? Buffer.from(value.toString(16).padStart(8, "0"), "hex") : value;
  const from = bytes.findIndex((byte) => byte !== 0);
  const short = from < 0 ? Buffer.of(0) : Buffer.from(bytes.subarray(from));
  return der(tags.integer, (short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), short]) : short);
}

/** `1.2.840.113549.1.7.2` */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((number) => {
    const groups = [number & 0x7f];
    for (let left = Math.floor(number / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return der(tags.oid, Buffer.from(bytes));
}

export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** With tag and length. */
  readonly whole: Buffer;
}

/** What stands one behind the other in some bytes; undefined when that is no DER. */
export function elements(bytes: Buffer): readonly Element[] | undefined {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const element = elementAt(bytes, at);
    if (element === undefined) return undefined;
    found.push(element);
    at += element.whole.length;
  }
  return found;
}

/** The first value of some bytes; more may follow. */
export function elementAt(bytes: Buffer, at = 0): Element | undefined {
  const tag = bytes[at];
  let length = bytes[at + 1];
  if (tag === undefined || length === undefined || (tag & 0x1f) === 0x1f) return undefined;
  let start = at + 2;
  if (length >= 0x80) {
    const digits = length & 0x7f;
    if (digits < 1 || digits > 4 || start + digits > bytes.length) return undefined;
    length = bytes.readUIntBE(start, digits);
    start += digits;
  }
  if (start + length > bytes.length) return undefined;
  return {
    tag,
    content: bytes.subarray(start, start + length),
    whole: bytes.subarray(at, start + length),
  };
}
