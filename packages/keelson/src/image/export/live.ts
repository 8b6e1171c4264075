// The live system: the build's own kernel and first process, and behind them in the initrd the root, what an
// installation puts on an ESP, and what was given for the first boot. It starts wherever a kernel image can be read
// from, needs no driver for the medium, and runs in memory; dm-verity proves its root as on a disk.
import { createWriteStream } from "node:fs";
import { appendFile, copyFile, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";
import { KeelError } from "../../base/errors.ts";
import { CommandError } from "../../local/command.ts";
import { formatBytes } from "../../local/progress.ts";
import { chunkBytes, copySparse, readFully } from "../disk/sparse-copy.ts";
import { verityBytes } from "../disk/verity.ts";
import { runTool } from "../../local/tree/tools-tree.ts";
import { signImage } from "../../secure-boot/sign.ts";
import { cpioEnd, cpioHeader, cpioPadding } from "./cpio.ts";
import type { Making } from "./making.ts";

export interface LiveSystem {
  /** Paths of files in the work folder. */
  readonly kernel: string;
  /** The build's initrd and the archive with the root behind it. */
  readonly initrd: string;
  /** Both in one unified kernel image, signed when a key was given. */
  readonly image: string;
}

/** Higher ones take minutes for a few per cent. */
const compressionLevel = 7;

/** Makes the live system's files. KEEL-351 with a tool's last words. */
export async function makeLive(making: Making): Promise<LiveSystem> {
  const { work, build } = making;
  const section = (name: string): Buffer => {
    const bytes = build.kernel.sections.get(name);
    if (bytes === undefined) throw new KeelError("KEEL-354", `the kernel image has no section ${name}`);
    return bytes;
  };
  const files = {
    kernel: join(work, "vmlinuz"),
    initrd: join(work, "initrd"),
    image: join(work, "live.efi"),
  };
  await writeFile(files.kernel, section(".linux"));
  await writeFile(files.initrd, section(".initrd"));
  // The kernel takes archives one behind the other at multiples of four.
  await appendFile(files.initrd, cpioPadding(section(".initrd").length));
  await pipeline(
    members(making),
    createZstdCompress({
      params: {
        [constants.ZSTD_c_compressionLevel]: compressionLevel,
        [constants.ZSTD_c_checksumFlag]: 1,
      },
    }),
    createWriteStream(files.initrd, { flags: "a" }),
    ...(making.signal === undefined ? [] : [{ signal: making.signal }]),
  );
  making.step.update("kernel image");
  await unify(making, files, section);
  return files;
}

async function unify(
  { work, tools, signing, made }: Making,
  files: LiveSystem,
  section: (name: string) => Buffer,
): Promise<void> {
  const release = join(work, "os-release");
  const commandLine = join(work, "cmdline");
  await writeFile(release, section(".osrel"));
  await writeFile(commandLine, textOf(section(".cmdline")));
  const argv = [
    "env",
    `SOURCE_DATE_EPOCH=${made}`,
    "ukify",
    "build",
    `--linux=${files.kernel}`,
    `--initrd=${files.initrd}`,
    `--cmdline=@${commandLine}`,
    `--os-release=@${release}`,
    `--uname=${textOf(section(".uname"))}`,
    `--output=${files.image}`,
  ];
  try {
    await runTool(tools, argv, { binds: [work] });
  } catch (cause) {
    if (!(cause instanceof CommandError)) throw cause;
    throw new KeelError("KEEL-351", `the live kernel image could not be made: ${cause.message}`, { cause });
  }
  if (signing !== undefined) await writeFile(files.image, signImage(await readFile(files.image), signing));
}

/** The archive, piece by piece. */
async function* members(making: Making): AsyncGenerator<Buffer> {
  const { build, step } = making;
  let inode = 1;
  const folder = (path: string): Buffer => cpioHeader({ path, mode: 0o755 }, inode++);
  const small = (path: string, content: Buffer, mode: number): Buffer =>
    Buffer.concat([
      cpioHeader({ path, bytes: content.length, mode }, inode++),
      content,
      cpioPadding(content.length),
    ]);

  yield folder("modules");
  yield small("modules/live-loop.ko", await loopModule(making), 0o644);
  yield small("modules.live", Buffer.from("/modules/live-loop.ko\n"), 0o644);
  yield folder("live");
  for (const path of await pathsBelow(build.espFolder)) {
    const full = join(build.espFolder, path);
    const info = await stat(full);
    if (info.isDirectory()) yield folder(join("live/esp", path));
    else yield small(join("live/esp", path), await readFile(full), 0o644);
  }
  if (making.cloudConfig !== undefined) yield small("live/user-data", Buffer.from(making.cloudConfig), 0o600);
  if (making.installTo !== undefined)
    yield small("live/install", Buffer.from(`${making.installTo}\n`), 0o644);

  const bytes = verityBytes(build.kernel.verity.blocks);
  if (bytes > build.root.bytes) throw new KeelError("KEEL-354", "the root is larger than its slot");
  yield cpioHeader({ path: "live/root.img", bytes, mode: 0o400 }, inode++);
  const file = await open(build.path, "r");
  try {
    for (let at = 0; at < bytes; at += chunkBytes) {
      const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, bytes - at));
      await readFully(file, chunk, build.root.offset + at);
      yield chunk;
      step.update(`${formatBytes(at + chunk.length)} of ${formatBytes(bytes)} compressed`);
    }
  } finally {
    await file.close();
  }
  yield cpioPadding(bytes);
  yield cpioEnd;
}

/** The ESP's folder itself, then all that is in it, folders before what they hold. */
async function pathsBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.map((entry) => join(relative(folder, entry.parentPath), entry.name));
  return ["", ...paths.toSorted((a, b) => (a < b ? -1 : 1))];
}

/** The kernel's module for disks that are files, from the root: the initrd of a disk needs none. */
async function loopModule({ tools, build, work }: Making): Promise<Buffer> {
  const image = join(work, "root.erofs");
  const release = textOf(build.kernel.sections.get(".uname") ?? Buffer.alloc(0));
  const file = await open(build.path, "r");
  try {
    await copyRoot(file, build.root.offset, { path: image, bytes: build.kernel.verity.blocks * 4096 });
  } finally {
    await file.close();
  }
  const target = join(work, "loop.ko");
  const folder = `/usr/lib/modules/${release}/kernel/drivers/block`;
  for (const ending of ["", ".xz", ".zst"]) {
    const argv = ["sh", "-c", 'dump.erofs --cat --path="$1" "$2" > "$3"', "sh"];
    const found = await runTool(tools, [...argv, `${folder}/loop.ko${ending}`, image, target], {
      binds: [work],
    }).then(
      () => true,
      () => false,
    );
    if (found && (await stat(target)).size > 0) return unpacked(tools, target, ending);
  }
  throw new KeelError("KEEL-351", `the root has no module loop for its kernel ${release}`);
}

/** Sections of text may end with zeros. */
function textOf(section: Buffer): string {
  return section.toString("utf8").replace(/\0.*$/s, "").trim();
}

async function unpacked(tools: string, path: string, ending: string): Promise<Buffer> {
  if (ending === "") return readFile(path);
  await copyFile(path, `${path}${ending}`);
  const program = ending === ".xz" ? "xz" : "zstd";
  await runTool(tools, [program, "-d", "-f", `${path}${ending}`], { binds: [dirname(path)] });
  return readFile(path);
}

async function copyRoot(
  source: Awaited<ReturnType<typeof open>>,
  offset: number,
  { path, bytes }: { readonly path: string; readonly bytes: number },
): Promise<void> {
  const target = await open(path, "w");
  try {
    await copySparse(source, target, { from: offset, length: bytes });
    await target.truncate(bytes);
  } finally {
    await target.close();
  }
}
