// Formats that start a machine which has nothing on its disk: an ISO for drives and sticks, files for the network.
import { copyFile, mkdir, open, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import { CommandError } from "../../local/command.ts";
import { layOutFat } from "../disk/fat.ts";
import { copySparse, writeFully } from "../disk/sparse-copy.ts";
import { runTool } from "../../local/tree/tools-tree.ts";
import { identityOf } from "./vhd.ts";
import { makeLive } from "./live.ts";
import type { Make, Making } from "./making.ts";
import { makeSparse } from "./stage.ts";

/** Where firmware looks for a program on removable media: UEFI specification, section 3.5.1.1. */
const removableProgram: Readonly<Record<string, string>> = {
  amd64: "EFI/BOOT/BOOTX64.EFI",
  arm64: "EFI/BOOT/BOOTAA64.EFI",
};

const mebibyte = 1 << 20;

/** Starts by UEFI from a drive (El Torito) and from a stick (a partition of the same bytes). */
export const makeIso: Make = async (making, output) => {
  const live = await makeLive(making);
  making.step.update("ISO 9660");
  const esp = join(making.work, "esp.img");
  await writeEsp(making, { program: live.image, path: esp });
  const folder = join(making.work, "iso");
  await mkdir(folder);
  const text = join(folder, "README.TXT");
  await writeFile(text, mediumText(making));
  const { tools, made } = making;
  for (const path of [text, folder]) await utimes(path, made, made);
  const argv = [
    "env",
    `SOURCE_DATE_EPOCH=${made}`,
    "xorriso",
    "-as",
    "mkisofs",
    "-quiet",
    "-o",
    output,
    "-V",
    "KEELSON",
    "-J",
    "-r",
    "-partition_offset",
    "16",
    "-append_partition",
    "2",
    "0xef",
    esp,
    "-appended_part_as_gpt",
    "-e",
    "--interval:appended_partition_2:all::",
    "-no-emul-boot",
    folder,
  ];
  try {
    await runTool(tools, argv, { binds: [making.work, dirname(output)] });
  } catch (cause) {
    if (!(cause instanceof CommandError)) throw cause;
    throw new KeelError("KEEL-351", `the ISO could not be written: ${cause.message}`, { cause });
  }
};

async function writeEsp(
  { build, name }: Making,
  { program, path }: { readonly program: string; readonly path: string },
): Promise<void> {
  const place = removableProgram[build.name.architecture];
  if (place === undefined) throw new KeelError("KEEL-351", `no firmware starts ${build.name.architecture}`);
  const { size } = await stat(program);
  const bytes = Math.max(64, Math.ceil(size / mebibyte) + 8) * mebibyte;
  const layout = layOutFat([{ path: place, bytes: size }], {
    bytes,
    sectorBytes: 512,
    label: "KEELSON",
    serial: Buffer.from(identityOf(name)).readUInt32LE(0),
    offset: 0,
  });
  await makeSparse(path, bytes);
  const target = await open(path, "r+");
  const source = await open(program, "r");
  try {
    for (const { offset, data } of layout.pieces) await writeFully(target, data, offset);
    for (const file of layout.files)
      await copySparse(source, target, { length: file.bytes, to: file.offset });
  } finally {
    await source.close();
    await target.close();
  }
}

function mediumText({ name, installTo }: Making): string {
  const what =
    installTo === undefined
      ? "It starts a system in memory. At its console: keel os install /dev/DISK"
      : `It installs itself to ${installTo === "auto" ? "the only empty disk" : installTo} without asking.`;
  return `${name}\r\n${what}\r\nIt needs UEFI and 2 GB of memory.\r\n`;
}

/** A folder: kernel and initrd for iPXE and others, the same in one file for HTTP boot by UEFI, a script for iPXE. */
export const makePxe: Make = async (making, output) => {
  const live = await makeLive(making);
  const folder = join(making.work, "pxe");
  await mkdir(folder, { mode: 0o755 });
  const commandLine = making.build.kernel.commandLine;
  await rename(live.kernel, join(folder, "vmlinuz"));
  await rename(live.initrd, join(folder, "initrd"));
  await copyFile(live.image, join(folder, "keelson.efi"));
  await writeFile(join(folder, "cmdline"), `${commandLine}\n`);
  await writeFile(join(folder, "keelson.ipxe"), ipxeScript(making.name, commandLine));
  await rm(live.image);
  await rename(folder, output);
};

/** Fetches what lies beside it. https://ipxe.org/scripting */
export function ipxeScript(name: string, commandLine: string): string {
  return `#!ipxe
# ${name}: the system in memory. Words behind the kernel's go to the system, as
# keelson.cloud-config=http://… for its first-boot configuration.
kernel vmlinuz ${commandLine} initrd=initrd
initrd initrd
boot
`;
}
