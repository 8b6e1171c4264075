// How an HTTP/2 connection begins, for the sake of one client: etcdctl 3.4 with `--endpoints=http://…` sends the
// whole URL as the :authority of its first request, and nghttp2 refuses that before anyone is asked. So the
// first header block is read here, and a URL in it loses its slashes. The field keeps its length, hence client
// and server go on agreeing about the compression state.
// Sources: RFC 9113 (frames), RFC 7541 (HPACK).

const PREFACE_BYTES = 24;
const FRAME_HEAD_BYTES = 9;
const FRAME = { headers: 1, settings: 4, windowUpdate: 8 } as const;
const FLAG = { ack: 1, padded: 8, priority: 32 } as const;
/** Field 1 of HPACK's static table, literal, with or without becoming part of the dynamic table. */
const AUTHORITY: ReadonlySet<number> = new Set([0x41, 0x01, 0x11]);

/** An empty SETTINGS frame: what a client that waits to be greeted waits for. */
export const SETTINGS_FRAME: Buffer = Buffer.from([0, 0, 0, FRAME.settings, 0, 0, 0, 0, 0]);

export interface Greeting {
  /**
   * `more`: the bytes may still be incomplete; `greet`: the client may wait for SETTINGS_FRAME; `ready`: hand over.
   */
  readonly state: "more" | "greet" | "ready";
  /** What to hand over when it is `ready`. */
  readonly bytes: Buffer;
}

/**
 * Looks at all that a client has sent so far. `greeted` says that SETTINGS_FRAME was sent: its acknowledgement
 * is waited for, and left out, since whoever takes over has not asked for it.
 */
export function readGreeting(bytes: Buffer, greeted: boolean): Greeting {
  let at = PREFACE_BYTES;
  let acknowledged: { readonly start: number; readonly end: number } | undefined;
  let hasSettings = false;
  let hasRequest = false;
  while (bytes.length >= at + FRAME_HEAD_BYTES) {
    const end = at + FRAME_HEAD_BYTES + bytes.readUIntBE(at, 3);
    const type = bytes[at + 3];
    const flags = bytes[at + 4] ?? 0;
    if (type === FRAME.headers && !hasRequest) {
      if (bytes.length < end) break;
      mendHeaders(bytes.subarray(at + FRAME_HEAD_BYTES, end), flags);
    }
    if (type === FRAME.settings && (flags & FLAG.ack) !== 0) acknowledged ??= { start: at, end };
    else if (type === FRAME.settings) hasSettings = true;
    else if (type !== FRAME.windowUpdate) hasRequest = true;
    at = end;
  }
  // A client that does not wait to be greeted acknowledges behind its first requests.
  if (greeted && acknowledged === undefined) return { state: "more", bytes };
  if (!hasRequest) return { state: hasSettings && !greeted && bytes.length === at ? "greet" : "more", bytes };
  if (!greeted || acknowledged === undefined) return { state: "ready", bytes };
  const { start, end } = acknowledged;
  return { state: "ready", bytes: Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]) };
}

function mendHeaders(payload: Buffer, flags: number): void {
  let at = (flags & FLAG.padded) === 0 ? 0 : 1;
  if ((flags & FLAG.priority) !== 0) at += 5;
  while (at < payload.length) {
    const first = payload[at] ?? 0;
    const nameBits = (first & 0x80) !== 0 ? 7 : (first & 0x40) !== 0 ? 6 : (first & 0x20) !== 0 ? 5 : 4;
    const name = readInteger(payload, at, nameBits);
    if (AUTHORITY.has(first)) return mendAuthority(payload, name.next);
    at = name.next;
    // An indexed field, or a new size of the table: nothing follows.
    if ((first & 0x80) !== 0 || (first & 0xe0) === 0x20) continue;
    if (name.value === 0) at = stringEnd(payload, at);
    at = stringEnd(payload, at);
  }
}

/** "http://" in HPACK's Huffman code: 41 bits, of which the last twelve are the slashes. */
const CODED_URL = 0b100111_01001_01001_101011_1011100_011000_011000n;
/** The same with dots, whose code is as long. */
const CODED_DOTS = 0b100111_01001_01001_101011_1011100_010111_010111n;
const CODED_BITS = 41n;
const PLAIN_URL = "http://";

function mendAuthority(payload: Buffer, at: number): void {
  const isCoded = ((payload[at] ?? 0) & 0x80) !== 0;
  const { value: length, next } = readInteger(payload, at, 7);
  const value = payload.subarray(next, next + length);
  if (!isCoded) {
    if (value.toString("latin1", 0, PLAIN_URL.length) === PLAIN_URL)
      value.fill(".", PLAIN_URL.length - 2, PLAIN_URL.length);
    return;
  }
  if (value.length < 8) return;
  const head = value.readBigUInt64BE();
  const rest = 64n - CODED_BITS;
  if (head >> rest === CODED_URL) value.writeBigUInt64BE((CODED_DOTS << rest) | (head & ((1n << rest) - 1n)));
}

/** HPACK's integers: a prefix of some bits, and if that is full, groups of seven. At most 2^28. */
function readInteger(
  bytes: Buffer,
  at: number,
  prefixBits: number,
): { readonly value: number; readonly next: number } {
  const full = (1 << prefixBits) - 1;
  let value = (bytes[at] ?? 0) & full;
  let next = at + 1;
  if (value < full) return { value, next };
  for (let shift = 0; shift <= 21; shift += 7) {
    const byte = bytes[next++] ?? 0;
    value += (byte & 0x7f) << shift;
    if ((byte & 0x80) === 0) break;
  }
  return { value, next };
}

function stringEnd(bytes: Buffer, at: number): number {
  const { value, next } = readInteger(bytes, at, 7);
  return next + value;
}
