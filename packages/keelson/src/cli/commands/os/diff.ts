import { readdir, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import * as z from "zod/mini";
import { KeelError } from "../../../base/errors.ts";
import { compareBuilds, differenceText } from "../../../image/compare-builds.ts";
import type { BuildFacts } from "../../../image/compare-builds.ts";
import { componentsOf, parseSbom } from "../../../image/sbom.ts";
import { releaseManifest } from "../../../releases/manifest.ts";
import type { Register } from "../../invocation.ts";

const largestFile = 16 << 20;

export const registerDiff: Register = (group, act) => {
  const command = group
    .command("diff")
    .argument("<from>", "a build’s folder")
    .argument("<to>", "another’s")
    .description("Say what changed between two builds: packages, kernel, sizes.");
  act(command, async (keel, [from, to]) => {
    const facts = (word: string | undefined): Promise<BuildFacts> =>
      readBuild(resolve(keel.terminal.cwd, word ?? ""));
    const difference = compareBuilds(await facts(from), await facts(to));
    keel.output.document({ ...difference }, () => differenceText(difference));
  });
};

/** The manifest and the list of parts in a folder. KEEL-333 when they are missing or are none. */
async function readBuild(folder: string): Promise<BuildFacts> {
  const read = async (ending: string): Promise<string> => {
    const names = (await readdir(folder)).filter((name) => name.endsWith(ending));
    const [only] = names;
    if (only === undefined || names.length > 1) throw new Error(`${names.length} files end in ${ending}`);
    const path = join(folder, only);
    if ((await stat(path)).size > largestFile) throw new Error(`${only} is too large`);
    return readFile(path, "utf8");
  };
  try {
    const manifest = z.parse(releaseManifest, JSON.parse(await read(".manifest.json")));
    const components = componentsOf(parseSbom(await read(".sbom.json")));
    const { root, kernel, version } = manifest;
    const sizes = {
      download: root.size + kernel.size,
      root: root.unpacked?.size ?? root.size,
      kernel: kernel.size,
    };
    return { version, components, sizes };
  } catch (cause) {
    throw new KeelError("KEEL-333", `${folder} holds no build that can be compared`, { cause });
  }
}
