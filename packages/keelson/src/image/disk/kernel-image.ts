// Reads what is inside a unified kernel image: a PE program with sections `.linux`, `.initrd`, `.cmdline`, `.osrel`
// and `.uname` (the UAPI Group's UKI specification).
import { kernelWords } from "../../model/os-image.ts";

export interface KernelImage {
  readonly sections: ReadonlyMap<string, Buffer>;
  readonly commandLine: string;
  readonly version: string;
  readonly variant: string;
  /** Node's name of the processor: x64, arm64; "unknown" for others. */
  readonly machine: string;
  /** UUID of the erofs that it starts, lower case. */
  readonly root: string;
  readonly verity: { readonly hash: string; readonly salt: string; readonly blocks: number };
}

const mostSections = 64;
const machines: ReadonlyMap<number, string> = new Map([
  [0x8664, "x64"],
  [0xaa64, "arm64"],
]);

/** Undefined for what is no unified kernel image of Keelson's, whatever its bytes are. */
export function readKernelImage(image: Buffer): KernelImage | undefined {
  const sections = sectionsOf(image);
  const commandLine = sections?.get(".cmdline")?.toString("utf8").replace(/\0.*$/s, "").trim();
  if (sections === undefined || commandLine === undefined) return undefined;
  const words = new Map(
    commandLine.split(/\s+/).map((word) => {
      const at = word.indexOf("=");
      return at < 0 ? ([word, ""] as const) : ([word.slice(0, at), word.slice(at + 1)] as const);
    }),
  );
  const root = words.get(kernelWords.root)?.toLowerCase() ?? "";
  const verity = /^([0-9a-f]{64}),([0-9a-f]{2,512}),(\d{1,8})$/.exec(words.get(kernelWords.verity) ?? "");
  const version = words.get(kernelWords.version) ?? "";
  const variant = words.get(kernelWords.variant) ?? "";
  if (verity === null || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(root)) return undefined;
  if (!/^\d{1,9}\.\d{1,9}\.\d{1,9}$/.test(version) || !/^[a-z]{1,20}$/.test(variant)) return undefined;
  const [, hash = "", salt = "", blocks = "0"] = verity;
  return {
    sections,
    commandLine,
    version,
    variant,
    machine: machines.get(image.readUInt16LE(image.readUInt32LE(60) + 4)) ?? "unknown",
    root,
    verity: { hash, salt, blocks: Number(blocks) },
  };
}

/** Microsoft's "PE Format": the DOS header points to the PE header, behind whose optional part the sections stand. */
function sectionsOf(image: Buffer): ReadonlyMap<string, Buffer> | undefined {
  if (image.length < 64 || image.toString("latin1", 0, 2) !== "MZ") return undefined;
  const start = image.readUInt32LE(60);
  if (start + 24 > image.length || image.toString("latin1", start, start + 4) !== "PE\0\0") return undefined;
  const count = image.readUInt16LE(start + 6);
  const table = start + 24 + image.readUInt16LE(start + 20);
  if (count > mostSections || table + count * 40 > image.length) return undefined;
  const sections = new Map<string, Buffer>();
  for (let at = table; at < table + count * 40; at += 40) {
    const name = image.toString("latin1", at, at + 8).replace(/\0.*$/s, "");
    const bytes = Math.min(image.readUInt32LE(at + 8), image.readUInt32LE(at + 16));
    const place = image.readUInt32LE(at + 20);
    if (place + bytes > image.length) return undefined;
    if (!sections.has(name)) sections.set(name, image.subarray(place, place + bytes));
  }
  return sections;
}
