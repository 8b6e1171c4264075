// The initrd: one static program, its modules, and the list of them. A cpio archive (newc), compressed with zstd.
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import { runCommand } from "../local/command.ts";
import { asStep } from "../local/progress.ts";
import type { Progress } from "../local/progress.ts";
import type { ContentCache } from "../local/tree/content-cache.ts";
import { hashPaths } from "../local/tree/file-hash.ts";
import { runTool } from "../local/tree/tools-tree.ts";

export interface ArchiveFile {
  /** Without a leading slash. */
  readonly path: string;
  /** With the file's type: 0o100755, 0o040755. */
  readonly mode: number;
  readonly content: Uint8Array;
}

/**
 * A cpio archive in the form that the kernel unpacks. Times and owners are zero: the same files, the same bytes.
 * Contents begin at multiples of 4 bytes, or of a larger `alignment`; names get more zeros at their ends for that.
 */
export function cpioArchive(files: readonly ArchiveFile[], { alignment = 1 } = {}): Uint8Array {
  const parts: Uint8Array[] = [];
  const trailer: ArchiveFile = { path: "TRAILER!!!", mode: 0, content: new Uint8Array() };
  let end = 0;
  for (const [index, { path, mode, content }] of [...files, trailer].entries()) {
    const before = end + headerBytes + path.length + 1;
    const zeros = content.length === 0 ? 0 : (alignment - (before % alignment)) % alignment;
    const name = Buffer.from(`${path}${"\0".repeat(1 + zeros)}`);
    const fields = [index + 1, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
    parts.push(
      Buffer.from(header),
      name,
      padding(header.length + name.length),
      content,
      padding(content.length),
    );
    end = parts.slice(-5).reduce((sum, part) => sum + part.length, end);
  }
  return Buffer.concat(parts);
}

const headerBytes = 110;

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}

export interface FirstProcessOptions {
  readonly repository: string;
  readonly tools: string;
  readonly cache: ContentCache;
  readonly progress: Progress;
}

/** os/initrd/init.c as a static program, compiled when it is not cached. */
export async function firstProcess({
  repository,
  tools,
  cache,
  progress,
}: FirstProcessOptions): Promise<string> {
  const hash = hashPaths(repository, ["os/initrd"], [basename(dirname(tools))]);
  const folder = await cache.entry("first-processes", hash, (target) =>
    asStep(progress, "compile the first process", async () => {
      await runCommand(["cp", join(repository, "os/initrd/init.c"), target]);
      const headers = [
        "/usr/include",
        `/usr/include/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`,
      ];
      const argv = ["musl-gcc", "-static", "-Os", "-s", "-Wall", "-Wextra", "-Wno-format-truncation"];
      for (const path of headers) argv.push("-idirafter", path);
      await runTool(tools, [...argv, "-o", join(target, "init"), join(target, "init.c")], {
        binds: [target],
      });
    }),
  );
  return join(folder, "init");
}

export interface InitrdOptions {
  /** The compiled first process. */
  readonly init: string;
  /** The root file system, and the modules below it. */
  readonly root: string;
  readonly modules: readonly string[];
  /** What the first process reads about them. */
  readonly moduleList: string;
}

/** The compressed initrd. Modules lie side by side: the first process has no use for folders. */
export async function initrd({ init, root, modules, moduleList }: InitrdOptions): Promise<Uint8Array> {
  const folder = (path: string): ArchiveFile => ({ path, mode: 0o040755, content: new Uint8Array() });
  const archive = cpioArchive([
    ...["dev", "modules", "proc", "sys", "sysroot"].map(folder),
    { path: "init", mode: 0o100755, content: await readFile(init) },
    {
      path: "modules.list",
      mode: 0o100644,
      content: Buffer.from(moduleList),
    },
    ...(await Promise.all(
      modules.map(async (path) => ({
        path: `modules/${basename(path)}`,
        mode: 0o100644,
        content: await readFile(join(root, path)),
      })),
    )),
  ]);
  return promisify(zstdCompress)(archive, { params: { [constants.ZSTD_c_compressionLevel]: 19 } });
}
