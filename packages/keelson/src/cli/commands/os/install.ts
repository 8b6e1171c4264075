import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { KeelError } from "../../../base/errors.ts";
import type { DiskFacts } from "../../../image/install/inspect.ts";
import type { InstallSource } from "../../../image/install/source.ts";
import { formatBytes } from "../../../local/progress.ts";
import type { Invocation, Register } from "../../invocation.ts";
import { repositoryFolder } from "../../local-cluster/example.ts";
import { readConfiguration } from "./export.ts";

interface Options {
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly cloudConfig?: string;
  readonly input?: string;
}

export const registerInstall: Register = (group, act) => {
  const command = group
    .command("install")
    .argument("[disk]", "the whole disk, /dev/…, or auto for the only empty one; what the medium says")
    .option("-y, --yes", "ask nothing")
    .option("--force", "overwrite a disk that looks used; what is in use is never overwritten")
    .option("--cloud-config <file>", "the first-boot configuration; the medium’s own unless given")
    .option("--input <build>", "install a build, not the medium that this system was started from")
    .description("Install the system to an empty disk, and read everything back.");
  act<Options>(command, async (keel, [word], options) => {
    const work = await mkdtemp(join(tmpdir(), "keelson-source-"));
    try {
      const source = await sourceOf(keel, options, work);
      const disk = await diskOf(keel, word ?? source.installTo);
      await confirm(keel, { disk, source, options });
      const { installSystem } = await import("../../../image/install/install.ts");
      await installSystem({
        disk,
        source,
        progress: keel.progress,
        signal: keel.signal,
        ...(options.force === true ? { force: true } : {}),
        ...(options.cloudConfig === undefined
          ? {}
          : { userData: await readConfiguration(resolve(keel.terminal.cwd, options.cloudConfig)) }),
      });
      const { version, variant } = source.name;
      keel.output.document(
        { installed: true, disk: disk.path, version, variant },
        () => `${version} is on ${disk.path}. Remove the medium and restart: systemctl reboot\n`,
      );
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
};

async function sourceOf(keel: Invocation, { input }: Options, work: string): Promise<InstallSource> {
  const { buildSource, liveSource } = await import("../../../image/install/source.ts");
  if (input === undefined) return liveSource();
  const repository = repositoryFolder();
  if (repository === undefined)
    throw new KeelError("KEEL-104", "--input needs a checkout of Keelson: the tools come from it");
  const { findRaw, readBuildDisk } = await import("../../../image/disk/build-disk.ts");
  const { toolsTree } = await import("../../../local/tree/tools-tree.ts");
  const tools = await toolsTree({ repository, progress: keel.progress, signal: keel.signal });
  return buildSource(await readBuildDisk(await findRaw(resolve(keel.terminal.cwd, input))), tools, work);
}

async function diskOf(keel: Invocation, word: string | undefined): Promise<DiskFacts> {
  const { emptyDisks, inspectDisk } = await import("../../../image/install/inspect.ts");
  if (word !== undefined && word !== "auto") return inspectDisk(resolve(keel.terminal.cwd, word));
  const disks = await emptyDisks();
  const [only] = disks;
  if (word === "auto" && only !== undefined && disks.length === 1) return only;
  const list = disks.map(({ path, bytes, model }) => `${path} (${formatBytes(bytes)}, ${model})`);
  throw new KeelError(
    "KEEL-356",
    word === undefined ? "no disk was named" : `${disks.length} disks are empty, not one`,
    { hint: list.length === 0 ? "no empty disk was found" : `empty: ${list.join(", ")}` },
  );
}

interface Question {
  readonly disk: DiskFacts;
  readonly source: InstallSource;
  readonly options: Options;
}

/** KEEL-355 before anything is asked; KEEL-716 when nobody agrees. */
async function confirm(keel: Invocation, { disk, source, options }: Question): Promise<void> {
  const { refuse } = await import("../../../image/install/install.ts");
  refuse(disk, options.force === true);
  if (options.yes === true) return;
  const { version } = source.name;
  const what = `${disk.path} (${formatBytes(disk.bytes)}, ${disk.model}) becomes a Keelson machine, ${version}.`;
  const loss = disk.holds.length === 0 ? "" : ` Lost will be: ${disk.holds.join("; ")}.`;
  const question = `${what}${loss}\nType yes to go on: `;
  const agrees =
    keel.terminal.interactive && (await keel.terminal.ask(question, keel.signal)).trim() === "yes";
  if (!agrees) throw new KeelError("KEEL-716", "nothing was installed", { hint: "answer yes, or --yes" });
}
