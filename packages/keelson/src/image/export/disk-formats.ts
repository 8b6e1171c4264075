// Formats that hold a disk and nothing else. qemu-img writes them; what it draws by chance is replaced, so that two
// exports of a build are the same bytes, and what it wrote is compared with the raw disk.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, constants, open, rename } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { KeelError } from "../../base/errors.ts";
import { CommandError } from "../../local/command.ts";
import { readFully, writeFully } from "../disk/sparse-copy.ts";
import { runTool } from "../../local/tree/tools-tree.ts";
import type { Make, Making } from "./making.ts";
import { footerBytes, identityOf, readFooter, writeFooter } from "./vhd.ts";

export const makeRaw: Make = async ({ disk, work }, output) => {
  // A disk that was changed for the export lies in the work folder already.
  if (dirname(disk.path) === work) await rename(disk.path, output);
  else await copyFile(disk.path, output, constants.COPYFILE_FICLONE);
};

export const makeQcow2: Make = async (making, output) => {
  await convert(making, output, { format: "qcow2", options: ["-o", "compat=1.1"] });
  await check(making, output, "qcow2");
};

export const makeOpenStack: Make = async (making, output) => {
  await convert(making, output, {
    format: "qcow2",
    options: ["-c", "-o", "compat=1.1,compression_type=zlib"],
  });
  await check(making, output, "qcow2");
};

export const makeVhdx: Make = async (making, output) => {
  await convert(making, output, { format: "vhdx", options: ["-o", "subformat=dynamic"] });
  await check(making, output, "vhdx");
};

/** Fixed: the disk, and a footer behind it. */
export const makeVhd: Make = async (making, output) => {
  await makeRaw(making, output);
  const { bytes } = making.disk;
  const file = await open(output, "r+");
  try {
    await writeFully(file, footerOf(making, "fixed"), bytes);
  } finally {
    await file.close();
  }
};

export const makeDynamicVhd: Make = async (making, output) => {
  await convert(making, output, { format: "vpc", options: ["-o", "subformat=dynamic,force_size=on"] });
  const file = await open(output, "r+");
  try {
    const { size } = await file.stat();
    const end = await footerAt(file, size - footerBytes);
    if (end?.kind !== "dynamic" || end.bytes !== making.disk.bytes)
      throw new KeelError("KEEL-351", "qemu-img wrote a VHD of another size");
    const footer = footerOf(making, "dynamic");
    // The first sector holds the same as the last.
    for (const at of [0, size - footerBytes]) await writeFully(file, footer, at);
  } finally {
    await file.close();
  }
};

export const makeVmdk: Make = async (making, output) => {
  await convert(making, output, {
    format: "vmdk",
    options: ["-o", "subformat=streamOptimized,adapter_type=lsilogic"],
  });
  await nameContent(making, output);
};

/** The descriptor inside of a VMDK holds a content identity that is drawn by chance: one from the name instead. */
async function nameContent({ name }: Making, path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    const header = Buffer.alloc(512);
    await readFully(file, header, 0);
    const start = Number(header.readBigUInt64LE(28)) * 512;
    const text = Buffer.alloc(Math.min(Number(header.readBigUInt64LE(36)) * 512, 1 << 16));
    await readFully(file, text, start);
    const at = text.indexOf("\nCID=");
    if (header.toString("latin1", 0, 4) !== "KDMV" || at < 0)
      throw new KeelError("KEEL-351", "qemu-img wrote a VMDK of another form");
    const identity = createHash("sha256").update(name).digest("hex").slice(0, 8);
    await writeFully(file, Buffer.from(identity), start + at + 5);
  } finally {
    await file.close();
  }
}

function footerOf({ name, disk, made }: Making, kind: "fixed" | "dynamic"): Buffer {
  return writeFooter({ kind, bytes: disk.bytes, identity: identityOf(`${name}.${kind}`), made });
}

async function footerAt(file: FileHandle, at: number): Promise<ReturnType<typeof readFooter>> {
  const bytes = Buffer.alloc(footerBytes);
  await readFully(file, bytes, at);
  return readFooter(bytes);
}

async function convert(
  making: Making,
  output: string,
  { format, options }: { readonly format: string; readonly options: readonly string[] },
): Promise<void> {
  const argv = ["qemu-img", "convert", "-p", "-f", "raw", "-O", format, ...options, making.disk.path, output];
  await tool(making, argv, output);
}

/** The file's own structure, and its content against the raw disk. */
async function check(making: Making, output: string, format: string): Promise<void> {
  making.step.update("checking");
  await tool(making, ["qemu-img", "check", "-q", "-f", format, output], output);
  await tool(
    making,
    ["qemu-img", "compare", "-q", "-f", "raw", "-F", format, making.disk.path, output],
    output,
  );
}

/** Runs qemu-img with its percentage as progress. KEEL-351 with its last words. */
async function tool(
  { tools, disk, step, signal }: Making,
  argv: readonly string[],
  output: string,
): Promise<void> {
  try {
    await runTool(tools, argv, {
      binds: [...new Set([dirname(disk.path), dirname(output)])],
      onLine: (line) => {
        const percent = /^\s*\((\d+)\.\d+\/100%\)/.exec(line)?.[1];
        if (percent !== undefined) step.update(`${percent} %`);
      },
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (cause) {
    if (!(cause instanceof CommandError)) throw cause;
    throw new KeelError("KEEL-351", `${argv.slice(0, 2).join(" ")} failed: ${cause.message}`, { cause });
  }
}

/** SHA-256 of a file, in hexadecimal digits. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
