// A program or library that holds nothing but what the dynamic linker reads.

export interface ElfContent {
  readonly needed?: readonly string[];
  readonly interpreter?: string;
  readonly runPath?: string;
  readonly rPath?: string;
}

const base = 0x10000;

export function makeElf({ needed = [], interpreter, runPath, rPath }: ElfContent): Buffer {
  const strings: Buffer[] = [Buffer.from([0])];
  let length = 1;
  const text = (value: string): number => {
    const at = length;
    const bytes = Buffer.from(`${value}\0`);
    strings.push(bytes);
    length += bytes.length;
    return at;
  };
  const entries: [number, number][] = needed.map((name) => [1, text(name)]);
  if (runPath !== undefined) entries.push([29, text(runPath)]);
  if (rPath !== undefined) entries.push([15, text(rPath)]);
  const program = interpreter === undefined ? undefined : Buffer.from(`${interpreter}\0`);
  const segments = program === undefined ? 2 : 3;
  const stringsAt = 64 + segments * 56;
  const dynamicAt = stringsAt + length;
  entries.push([5, base + stringsAt], [10, length], [0, 0]);
  const dynamic = Buffer.alloc(entries.length * 16);
  entries.forEach(([tag, value], at) => {
    dynamic.writeBigUInt64LE(BigInt(tag), at * 16);
    dynamic.writeBigUInt64LE(BigInt(value), at * 16 + 8);
  });
  const interpreterAt = dynamicAt + dynamic.length;
  const table = [
    segment(1, 0, interpreterAt),
    segment(2, dynamicAt, dynamic.length),
    ...(program === undefined ? [] : [segment(3, interpreterAt, program.length)]),
  ];
  const head = Buffer.alloc(64);
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  head.writeUInt16LE(3, 16);
  head.writeBigUInt64LE(64n, 32);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(segments, 56);
  return Buffer.concat([head, ...table, ...strings, dynamic, program ?? Buffer.alloc(0)]);
}

function segment(type: number, offset: number, bytes: number): Buffer {
  const entry = Buffer.alloc(56);
  entry.writeUInt32LE(type, 0);
  entry.writeBigUInt64LE(BigInt(offset), 8);
  entry.writeBigUInt64LE(BigInt(base + offset), 16);
  entry.writeBigUInt64LE(BigInt(bytes), 32);
  return entry;
}
