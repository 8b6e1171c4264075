// Firmware of real machines: the files that kept modules load, and processors' microcode, which the kernel takes from
// the very beginning of its initrd.
import { cp, glob, mkdir, readdir, readFile, realpath } from "node:fs/promises";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { runTool } from "../local/tree/tools-tree.ts";
import { cpioArchive } from "./initrd.ts";
import type { ArchiveFile } from "./initrd.ts";

export interface FirmwareTask {
  /** A folder with the packages' files, in it usr/lib/firmware. */
  readonly from: string;
  /** The root file system. */
  readonly root: string;
  /** The modules that the root file system has. */
  readonly modules: readonly string[];
  readonly tools: string;
}

const folder = "usr/lib/firmware";

/** Copies what the modules name and the packages have; links become files. Returns the paths below usr/lib/firmware. */
export async function copyFirmware({ from, root, modules, tools }: FirmwareTask): Promise<string[]> {
  if (!existsSync(join(from, folder)) || modules.length === 0) return [];
  const output = await runTool(tools, ["modinfo", "--field", "firmware", ...modules], { binds: [root] });
  const copied = new Set<string>();
  for (const name of firmwareNames(output)) {
    for await (const path of glob(name, { cwd: join(from, folder) })) copied.add(path);
  }
  for (const path of copied) {
    const target = join(root, folder, path);
    await mkdir(dirname(target), { recursive: true });
    await cp(await realpath(join(from, folder, path)), target, { recursive: true });
  }
  return [...copied].sort();
}

/** One name a line, some of them patterns; what would lead out of the folder is left out. */
export function firmwareNames(output: string): string[] {
  const names = output.split("\n").map((line) => line.trim());
  const wanted = names.filter(
    (name) => name !== "" && !name.startsWith("/") && !name.split("/").includes(".."),
  );
  return [...new Set(wanted)].sort();
}

/** The archive of microcode that goes before the initrd; undefined when there is none. */
export async function microcode(from: string): Promise<Uint8Array | undefined> {
  const vendors = [
    {
      name: "AuthenticAMD.bin",
      contents: await filesOf(join(from, folder, "amd-ucode"), /^microcode_amd.*\.bin$/),
    },
    { name: "GenuineIntel.bin", contents: await filesOf(join(from, folder, "intel-ucode"), /^[0-9a-f-]+$/) },
  ];
  return microcodeArchive(vendors.filter(({ contents }) => contents.length > 0));
}

export interface VendorMicrocode {
  readonly name: string;
  readonly contents: readonly Uint8Array[];
}

/** An archive that is not compressed, the contents at multiples of 16 bytes: processors of Intel ask for that. */
export function microcodeArchive(vendors: readonly VendorMicrocode[]): Uint8Array | undefined {
  if (vendors.length === 0) return undefined;
  const directories: ArchiveFile[] = ["kernel", "kernel/x86", "kernel/x86/microcode"].map((path) => ({
    path,
    mode: 0o040755,
    content: new Uint8Array(),
  }));
  const files = vendors.map(({ name, contents }) => ({
    path: `kernel/x86/microcode/${name}`,
    mode: 0o100644,
    content: Buffer.concat(contents),
  }));
  return cpioArchive([...directories, ...files], { alignment: 16 });
}

async function filesOf(path: string, pattern: RegExp): Promise<Uint8Array[]> {
  const names = await readdir(path).catch(() => []);
  return Promise.all(
    names
      .filter((name) => pattern.test(name))
      .sort()
      .map((name) => readFile(join(path, name))),
  );
}
