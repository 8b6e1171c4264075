// A tar archive that depends on nothing but what is put in: no times, no owners, in the order given.
// Source of the form: POSIX.1-1988 "ustar".

export type TarEntry =
  | { readonly kind: "file"; readonly path: string; readonly data: Uint8Array; readonly mode: number }
  | { readonly kind: "folder"; readonly path: string; readonly mode: number }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

const block = 512;
const typeFlags = { file: "0", link: "2", folder: "5" } as const;

/** The archive with its two closing blocks. Paths have at most 100 bytes, as ustar's first field. */
export function writeTar(entries: readonly TarEntry[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const data = entry.kind === "file" ? entry.data : new Uint8Array();
    parts.push(
      header(entry, data.byteLength),
      data,
      new Uint8Array((block - (data.byteLength % block)) % block),
    );
  }
  return Buffer.concat([...parts, new Uint8Array(2 * block)]);
}

function header(entry: TarEntry, size: number): Buffer {
  const head = Buffer.alloc(block);
  const path = entry.kind === "folder" && !entry.path.endsWith("/") ? `${entry.path}/` : entry.path;
  const target = entry.kind === "link" ? entry.target : "";
  if (Buffer.byteLength(path) > 100 || Buffer.byteLength(target) > 100)
    throw new RangeError(`${path}: too long for tar`);
  head.write(path, 0);
  head.write(octal(entry.kind === "link" ? 0o777 : entry.mode, 8), 100);
  head.write(octal(0, 8), 108);
  head.write(octal(0, 8), 116);
  head.write(octal(size, 12), 124);
  head.write(octal(0, 12), 136);
  head.write(" ".repeat(8), 148);
  head.write(typeFlags[entry.kind], 156);
  head.write(target, 157);
  head.write("ustar\u000000", 257);
  head.write(
    `${octal(
      head.reduce((sum, byte) => sum + byte, 0),
      7,
    )} `,
    148,
  );
  return head;
}

/** Digits with a closing NUL, `width` bytes in all. */
function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, "0")}\0`;
}
