// The unified kernel image: kernel, initrd and command line in one file, which one signature covers.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { kernelWords } from "../model/os-image.ts";
import type { Variant } from "../model/os-image.ts";
import type { RootImage } from "./root-image.ts";
import { runTool } from "../local/tree/tools-tree.ts";
import { signImage } from "../secure-boot/sign.ts";
import type { Signer } from "../secure-boot/sign.ts";

/** For machines with Secure Boot: who signs, and what makes firmware believe it. */
export interface SecureBoot {
  readonly signer: Signer;
  /** Files by name, PK.auth, KEK.auth and db.auth, that the boot loader offers to firmware without keys. */
  readonly enrolment?: ReadonlyMap<string, Uint8Array>;
}

export interface CommandLineFacts {
  readonly version: string;
  readonly variant: Variant;
  readonly root: Pick<RootImage, "uuid" | "verity">;
}

/** The kernel's command line: the listed words, then those that name and prove the root. */
export function commandLine(words: readonly string[], { version, variant, root }: CommandLineFacts): string {
  const { rootHash, salt, blocks } = root.verity;
  return [
    ...words,
    `${kernelWords.root}=${root.uuid}`,
    `${kernelWords.verity}=${rootHash},${salt},${blocks}`,
    `${kernelWords.version}=${version}`,
    `${kernelWords.variant}=${variant}`,
  ].join(" ");
}

export interface UnifiedKernelOptions {
  readonly tools: string;
  /** A folder for the file and its parts; the kernel lies there already. */
  readonly folder: string;
  readonly vmlinuz: string;
  /** What `uname -r` will say. */
  readonly release: string;
  readonly initrd: Uint8Array;
  /** An archive of processors' microcode, not compressed. */
  readonly microcode?: Uint8Array;
  readonly commandLine: string;
  /** The text of /etc/os-release: its name and version stand in the boot menu. */
  readonly osRelease: string;
  readonly epoch: number;
  readonly secureBoot?: SecureBoot;
}

/** Writes kernel.efi beside cmdline, initrd and os-release, and returns its path. */
export async function unifiedKernel(options: UnifiedKernelOptions): Promise<string> {
  const { tools, folder, secureBoot, vmlinuz, release } = options;
  const path = join(folder, "kernel.efi");
  const part = async (name: string, content: string | Uint8Array): Promise<string> => {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  };
  await runTool(
    tools,
    [
      "env",
      `SOURCE_DATE_EPOCH=${options.epoch}`,
      "ukify",
      "build",
      `--linux=${vmlinuz}`,
      `--initrd=${await part("initrd.zst", options.initrd)}`,
      `--cmdline=@${await part("cmdline", options.commandLine)}`,
      `--os-release=@${await part("os-release", options.osRelease)}`,
      `--uname=${release}`,
      ...(options.microcode === undefined
        ? []
        : [`--microcode=${await part("microcode.cpio", options.microcode)}`]),
      `--output=${path}`,
    ],
    { binds: [folder] },
  );
  if (secureBoot !== undefined) await writeFile(path, signImage(await readFile(path), secureBoot.signer));
  return path;
}

/** systemd-boot of the tools tree, signed when there is a key. Returns its path. */
export async function bootLoader(
  tools: string,
  folder: string,
  secureBoot: SecureBoot | undefined,
): Promise<string> {
  const plain = join(tools, "usr/lib/systemd/boot/efi/systemd-bootx64.efi");
  if (secureBoot === undefined) return plain;
  const path = join(folder, "loader.efi");
  await writeFile(path, signImage(await readFile(plain), secureBoot.signer));
  return path;
}
