// `node start-tree.ts FOLDER`: run by the script that becomes a machine made of folders, at each of its starts.
// FOLDER is the machine's: it has `tree.json`, and gets `os` (what a first process leaves in /run/keelson/os) and
// `layers`, which the script reads.
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { describeError } from "../../base/errors.ts";
import { startTree, unpackWith } from "./firmware.ts";

const settings = z.object({
  /** The program that unpacks an erofs image: see unpackWith. */
  unpack: z.array(z.string()).check(z.minLength(1)),
  /** What lies under a release that holds only what is Keelson's own; not under a whole one. */
  base: z.array(z.string()),
});

async function start(folder: string): Promise<void> {
  const { unpack, base } = settings.parse(JSON.parse(await readFile(join(folder, "tree.json"), "utf8")));
  const boot = await startTree(join(folder, "tree"), unpackWith(unpack));
  const { version, variant, slot, uuid, entry, files } = boot;
  const facts = { VERSION: version, VARIANT: variant, SLOT: slot, ROOT_UUID: uuid, ENTRY: entry };
  const lines = Object.entries(facts).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(join(folder, "os"), lines.join(""));
  const layers = existsSync(join(files, "usr/bin/systemctl")) ? [files] : [files, ...base];
  const below = (name: string): string =>
    layers
      .map((layer) => join(layer, name))
      .filter((path) => existsSync(path))
      .join(":");
  const words = { root: layers.join(":"), etc: below("etc"), var: below("var") };
  const script = Object.entries(words).map(([name, value]) => `lower_${name}='${value}'\n`);
  await writeFile(join(folder, "layers"), script.join(""));
  process.stdout.write(`starts ${version} from slot ${slot} (${entry})\n`);
}

try {
  await start(process.argv[2] ?? "");
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exit(1);
}
