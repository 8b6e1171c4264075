// A unified kernel image is a PE file; its section `.cmdline` holds the kernel's command line (UAPI.5, PE format of
// Microsoft: "COFF file header", "Section table").

/** Reads a part of the file; fewer bytes at its end. */
export type ReadPart = (position: number, length: number) => Promise<Uint8Array>;

const maxCommandLine = 64 << 10;
const maxSections = 96;
const sectionHeaderBytes = 40;

/** The command line inside a unified kernel image; undefined for what is none. */
export async function readKernelCommandLine(read: ReadPart): Promise<string | undefined> {
  const dos = bytesView(await read(0, 64));
  if (dos.byteLength < 64 || dos.getUint16(0, true) !== 0x5a4d) return undefined;
  const at = dos.getUint32(0x3c, true);
  const coff = bytesView(await read(at, 24));
  if (coff.byteLength < 24 || coff.getUint32(0, true) !== 0x4550) return undefined;
  const count = Math.min(coff.getUint16(6, true), maxSections);
  const table = bytesView(await read(at + 24 + coff.getUint16(20, true), count * sectionHeaderBytes));
  for (let header = 0; header + sectionHeaderBytes <= table.byteLength; header += sectionHeaderBytes) {
    if (sectionName(table, header) !== ".cmdline") continue;
    const length = Math.min(table.getUint32(header + 8, true), table.getUint32(header + 16, true));
    if (length > maxCommandLine) return undefined;
    const text = await read(table.getUint32(header + 20, true), length);
    return text.byteLength < length ? undefined : Buffer.from(text).toString("latin1").replace(/\0.*$/s, "");
  }
  return undefined;
}

/** The value of a word such as `keelson.root=…`; of several the first, as the first process takes it. */
export function kernelWord(commandLine: string, name: string): string | undefined {
  const found = commandLine.split(/\s+/).find((word) => word.startsWith(`${name}=`));
  return found?.slice(name.length + 1);
}

function bytesView(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function sectionName(table: DataView, at: number): string {
  let name = "";
  for (let i = 0; i < 8; i++) {
    const code = table.getUint8(at + i);
    if (code === 0) break;
    name += String.fromCodePoint(code);
  }
  return name;
}
