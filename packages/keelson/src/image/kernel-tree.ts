// The kernel's packages, unpacked: /boot/vmlinuz-*, the modules and the firmware. Nothing of them is run.
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../base/errors.ts";
import { CommandError, runCommand } from "../local/command.ts";
import { asStep } from "../local/progress.ts";
import type { Progress } from "../local/progress.ts";
import type { ContentCache } from "../local/tree/content-cache.ts";
import { debianKeyring, hostProxy } from "../local/tree/debian-tree.ts";
import { recipeHash } from "../local/tree/recipe.ts";
import { unpackCommand } from "../local/tree/mmdebstrap.ts";
import type { ImageSources } from "./sources.ts";
import { runTool } from "../local/tree/tools-tree.ts";

export const kernelKind = "kernel-trees";
const builderVersion = 1;

export interface KernelTree {
  /** With usr/lib/modules/<release>/ and, where there is firmware, usr/lib/firmware/. */
  readonly root: string;
  /** What `uname -r` says. */
  readonly release: string;
  readonly vmlinuz: string;
  /** Name, version, architecture and size of the packages, one a line. */
  readonly packageList: string;
}

export interface KernelTreeOptions {
  readonly sources: ImageSources;
  readonly cache: ContentCache;
  readonly tools: string;
  readonly mirror: string;
  readonly progress: Progress;
}

/** The unpacked kernel, from the cache or downloaded now. Throws KEEL-331 when that fails. */
export async function kernelTree({
  sources,
  cache,
  tools,
  mirror,
  progress,
}: KernelTreeOptions): Promise<KernelTree> {
  const hash = recipeHash(sources.kernel, sources.architecture, builderVersion);
  const folder = await cache.entry(kernelKind, hash, (target) =>
    asStep(progress, "fetch the kernel", async (step) => {
      const all = join(target, "all");
      const { architecture } = sources;
      const options = {
        target: all,
        architecture,
        mirror,
        keyring: debianKeyring,
        aptOptions: await hostProxy(),
      };
      try {
        await runCommand(unpackCommand(sources.kernel, options), {
          onLine: (line) => line.startsWith("I: ") && step.update(line.slice(3, 70)),
        });
      } catch (cause) {
        if (!(cause instanceof CommandError)) throw cause;
        throw new KeelError("KEEL-331", `the kernel could not be fetched: ${cause.message}`, { cause });
      }
      await keepKernel(all, target);
      const release = await kernelRelease(join(target, "root"));
      await runTool(tools, ["depmod", "--basedir", join(target, "root/usr"), release], { binds: [target] });
    }),
  );
  const root = join(folder, "root");
  const release = await kernelRelease(root);
  return {
    root,
    release,
    vmlinuz: join(root, `boot/vmlinuz-${release}`),
    packageList: join(folder, "packages.txt"),
  };
}

/** Moves what is the kernel's out of a tree that also holds what its packages depend on. */
async function keepKernel(all: string, target: string): Promise<void> {
  await mkdir(join(target, "root/usr/lib"), { recursive: true });
  await rename(join(all, "boot"), join(target, "root/boot"));
  for (const name of ["modules", "firmware"]) {
    await rename(join(all, "usr/lib", name), join(target, "root/usr/lib", name)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    });
  }
  const packages = (await readFile(join(all, "packages.txt"), "utf8")).split("\n");
  const kept = packages.filter((line) =>
    /^(linux-image|firmware|intel-microcode|amd64-microcode)/.test(line),
  );
  await writeFile(join(target, "packages.txt"), `${kept.sort().join("\n")}\n`);
  await rm(all, { recursive: true, force: true });
}

async function kernelRelease(root: string): Promise<string> {
  const [release, ...more] = await readdir(join(root, "usr/lib/modules"));
  if (release === undefined || more.length > 0) {
    throw new KeelError("KEEL-331", "the kernel’s packages must bring exactly one kernel");
  }
  return release;
}
