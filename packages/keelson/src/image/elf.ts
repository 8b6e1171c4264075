// What a program or library of Linux asks of its dynamic linker, read from the file itself.
// Source: elf(5), and ld.so(8) for the order of search.

export interface LinkFacts {
  /** The dynamic linker that the kernel starts a program with. */
  readonly interpreter?: string;
  /** Names of libraries, as they are looked for. */
  readonly needed: readonly string[];
  /** Folders, colons between them, `$ORIGIN` not yet replaced. */
  readonly runPath?: string;
  /** The older form, which what is loaded inherits. */
  readonly rPath?: string;
}

/** Fills at most `length` bytes from a place of the file; fewer come where it ends. */
export type ReadAt = (position: number, length: number) => Promise<Uint8Array>;

/** What is more than this is no file that a linker wrote. */
const most = { segments: 256, dynamicBytes: 1 << 16, stringBytes: 1 << 22, pathBytes: 4096 } as const;

const segment = { load: 1, dynamic: 2, interpreter: 3 } as const;
const tag = { end: 0, needed: 1, strings: 5, stringBytes: 10, rPath: 15, runPath: 29 } as const;
const programOrLibrary = [2, 3];
const segmentBytes = 56;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly bytes: number;
}

/** Undefined for what is no program or library of 64 bits, and for one that is damaged. */
export async function readLinkFacts(read: ReadAt): Promise<LinkFacts | undefined> {
  const head = view(await read(0, 64));
  if (head.byteLength < 64 || head.getUint32(0) !== 0x7f454c46) return undefined;
  const [isWide, isLittle] = [head.getUint8(4) === 2, head.getUint8(5) === 1];
  if (!isWide || !isLittle || !programOrLibrary.includes(head.getUint16(16, true))) return undefined;
  const count = head.getUint16(56, true);
  if (head.getUint16(54, true) !== segmentBytes || count > most.segments) return undefined;
  const table = view(await read(place(head, 32), count * segmentBytes));
  if (table.byteLength < count * segmentBytes) return undefined;
  const segments = Array.from({ length: count }, (_, at) => segmentAt(table, at * segmentBytes));
  const interpreter = segments.find(({ type }) => type === segment.interpreter);
  const linked = await dynamicFacts(read, segments);
  if (linked === undefined || interpreter === undefined) return linked;
  const path = await read(interpreter.offset, Math.min(interpreter.bytes, most.pathBytes));
  return { ...linked, interpreter: textAt(path, 0) };
}

async function dynamicFacts(read: ReadAt, segments: readonly Segment[]): Promise<LinkFacts | undefined> {
  const dynamic = segments.find(({ type }) => type === segment.dynamic);
  if (dynamic === undefined) return { needed: [] };
  const entries = view(await read(dynamic.offset, Math.min(dynamic.bytes, most.dynamicBytes)));
  const found = new Map<number, number[]>();
  for (let at = 0; at + 16 <= entries.byteLength; at += 16) {
    const name = place(entries, at);
    if (name === tag.end) break;
    found.set(name, [...(found.get(name) ?? []), place(entries, at + 8)]);
  }
  const needed = found.get(tag.needed) ?? [];
  const [address, bytes] = [tag.strings, tag.stringBytes].map((name) => found.get(name)?.[0]);
  if (address === undefined || bytes === undefined) return needed.length === 0 ? { needed: [] } : undefined;
  const load = segments.find(
    (one) => one.type === segment.load && address >= one.address && address < one.address + one.bytes,
  );
  if (load === undefined || bytes > most.stringBytes) return undefined;
  const strings = await read(load.offset + address - load.address, bytes);
  const text = (name: number): string | undefined => {
    const at = found.get(name)?.[0];
    return at === undefined ? undefined : textAt(strings, at);
  };
  const [runPath, rPath] = [text(tag.runPath), text(tag.rPath)];
  return {
    needed: needed.map((at) => textAt(strings, at)),
    ...(runPath === undefined ? {} : { runPath }),
    ...(rPath === undefined ? {} : { rPath }),
  };
}

function segmentAt(table: DataView, at: number): Segment {
  return {
    type: table.getUint32(at, true),
    offset: place(table, at + 8),
    address: place(table, at + 16),
    bytes: place(table, at + 32),
  };
}

/** Numbers beyond a file's size read as one that no file reaches. */
function place(bytes: DataView, at: number): number {
  return Math.min(Number(bytes.getBigUint64(at, true)), Number.MAX_SAFE_INTEGER / 4);
}

function textAt(bytes: Uint8Array, at: number): string {
  const end = bytes.indexOf(0, at);
  return Buffer.from(bytes.subarray(at, end === -1 ? undefined : end)).toString("latin1");
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
