// What is installed: a root, and what an ESP holds, with one kernel image of Keelson's among it.
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import { entryFolder, livePath, parseBootEntry } from "../../model/os-image.ts";
import type { ReleaseName } from "../../model/os-image.ts";
import { releaseName, takeApart } from "../disk/build-disk.ts";
import type { BuildDisk } from "../disk/build-disk.ts";
import { readKernelImage } from "../disk/kernel-image.ts";
import type { KernelImage } from "../disk/kernel-image.ts";

export interface InstallSource {
  readonly name: ReleaseName;
  readonly kernel: KernelImage;
  /** A file or device, and where in it the slot's content begins. */
  readonly root: { readonly path: string; readonly offset: number };
  readonly esp: readonly EspFile[];
  /** The first-boot configuration that came along. */
  readonly userData?: Uint8Array;
  /** Where the medium wants to be installed without asking. */
  readonly installTo?: string;
}

export interface EspFile {
  /** Below the ESP, without a slash in front. */
  readonly path: string;
  readonly content: Buffer;
}

const mostEspBytes = 512 << 20;

/** What the running live system brought along. KEEL-354 on a machine that was not started from a medium. */
export async function liveSource(folder = livePath): Promise<InstallSource> {
  const root = join(folder, "root.img");
  if ((await stat(root).catch(() => undefined)) === undefined)
    throw new KeelError("KEEL-354", "this system was not started from an installation medium", {
      hint: "start the machine from the ISO or the network, or name a build: --input BUILD",
    });
  const userData = await readFile(join(folder, "user-data")).catch(() => undefined);
  const installTo = (await readFile(join(folder, "install"), "utf8").catch(() => "")).trim();
  return {
    ...(await espFacts(join(folder, "esp"))),
    root: { path: root, offset: 0 },
    ...(userData === undefined ? {} : { userData: new Uint8Array(userData) }),
    ...(installTo === "" ? {} : { installTo }),
  };
}

/** A build's disk; `work` is an empty folder. */
export async function buildSource(disk: BuildDisk, tools: string, work: string): Promise<InstallSource> {
  const { espFolder, path, root } = await takeApart(disk, tools, work);
  return { ...(await espFacts(espFolder)), root: { path, offset: root.offset } };
}

async function espFacts(folder: string): Promise<Pick<InstallSource, "name" | "kernel" | "esp">> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new KeelError("KEEL-354", `${folder} cannot be read`, { cause });
  });
  const esp: EspFile[] = [];
  let bytes = 0;
  for (const entry of entries.filter((item) => item.isFile())) {
    const path = join(entry.parentPath, entry.name);
    bytes += (await stat(path)).size;
    if (bytes > mostEspBytes) throw new KeelError("KEEL-354", `${folder} holds more than an ESP takes`);
    esp.push({ path: path.slice(folder.length + 1), content: await readFile(path) });
  }
  esp.sort((a, b) => (a.path < b.path ? -1 : 1));
  const images = esp.filter(({ path }) => path.toLowerCase().startsWith(`${entryFolder.toLowerCase()}/`));
  const own = images.filter(({ path }) => parseBootEntry(path.slice(entryFolder.length + 1)) !== undefined);
  const kernel = own[0] === undefined ? undefined : readKernelImage(own[0].content);
  if (kernel === undefined || own.length !== 1)
    throw new KeelError("KEEL-354", `${folder} does not hold one kernel image of Keelson’s`);
  return { name: releaseName(kernel), kernel, esp };
}
