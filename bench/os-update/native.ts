// An update on the processor that this runs on: the updater itself, in a process of its own, a server on loopback, the
// release as it is published, slots and ESP as files of the file system that dd writes to.
import { execFile } from "node:child_process";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { buildImage, builtImage } from "../../packages/keelson/src/image/build-image.ts";
import type { BuiltImage } from "../../packages/keelson/src/image/build-image.ts";
import { writeRelease } from "../../packages/keelson/src/image/release-files.ts";
import { silentProgress } from "../../packages/keelson/src/local/progress.ts";
import { signEnvelope, writeEnvelope } from "../../packages/keelson/src/releases/envelope.ts";
import { releaseEnvelope } from "../../packages/keelson/src/releases/release.ts";
import { serveReleases } from "../../test/os/support/release-server.ts";
import { testKeys } from "../../test/os/support/releases.ts";
import type { BenchRow } from "../result.ts";
import { median } from "../statistics.ts";
import { forgetUpdate, makeMachine, passiveSlot } from "./machine-in-files.ts";

const run = promisify(execFile);
const repository = resolve(import.meta.dirname, "../..");
/** On a disk, unlike /tmp on many machines. */
const disk = "/var/tmp";

interface Step {
  readonly seconds: number;
  readonly how: string;
  readonly anonymousBytes: number;
}

interface Measured {
  /** Seconds. */
  readonly dd: readonly number[];
  readonly updates: readonly Step[];
  readonly loadBefore: number;
}

/** The median of so many rounds, dd and an update in turns. */
export async function nativeUpdate(what: string, rounds: number): Promise<readonly BenchRow[]> {
  const folder = await mkdtemp(join(disk, "keelson-bench-update-"));
  try {
    const image = await releasedImage();
    const published = join(folder, "published");
    await publish(image, published);
    await using server = await serveReleases(published);
    const machine = join(folder, "machine");
    await makeMachine(machine);
    const slot = join(machine, passiveSlot);
    const [loadBefore = 0] = loadavg();
    const dd: number[] = [];
    const updates: Step[] = [];
    // Once before it counts: the first writes find no blocks in the slot's file.
    for (let round = 0; round <= rounds; round++) {
      await run("sync", []);
      const copying = await copyWithDd(image.root.path, slot);
      await forgetUpdate(machine);
      await run("sync", []);
      const update = await oneUpdate([machine, server.localUrl, image.version]);
      await run("cmp", [image.root.path, slot, "-n", String((await stat(image.root.path)).size)]);
      if (round === 0) continue;
      dd.push(copying);
      updates.push(update);
    }
    return rowsOf(what, { dd, updates, loadBefore });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function rowsOf(what: string, { dd, updates, loadBefore }: Measured): readonly BenchRow[] {
  const seconds = updates.map((update) => update.seconds);
  const [value, peer] = [median(seconds), median(dd)];
  const list = (values: readonly number[]): string => values.map((one) => one.toFixed(2)).join(", ");
  return [
    {
      what,
      value,
      unit: "s",
      reach: "ratio at most 2",
      peer,
      peerName: "dd of the image’s bytes, conv=fsync",
      ratio: value / peer,
      note: `${list(seconds)}; dd ${list(dd)}; load before ${loadBefore.toFixed(1)}`,
    },
    {
      what: "its memory that cannot be reclaimed, most",
      value: Math.max(...updates.map((update) => update.anonymousBytes)) / 1e6,
      unit: "MB",
      note: "the whole process",
    },
  ];
}

/** This checkout's, or the one whose folder in the cache KEEL_UPDATE_IMAGE names. */
function releasedImage(): Promise<BuiltImage> {
  const folder = process.env["KEEL_UPDATE_IMAGE"];
  if (folder !== undefined) return builtImage(folder);
  return buildImage({ repository, variant: "vm", version: "0.1.0", progress: silentProgress });
}

/** The release's files, packed as for publishing, and signed. */
async function publish(image: BuiltImage, output: string): Promise<void> {
  const { manifest, manifestFile } = await writeRelease({
    repository,
    image,
    output,
    compression: "small",
    withDisk: false,
    progress: silentProgress,
  });
  await writeFile(manifestFile, writeEnvelope(signEnvelope(releaseEnvelope(manifest), testKeys.release)));
}

/** Seconds by dd's own account, onto the blocks that the slot has. */
async function copyWithDd(from: string, to: string): Promise<number> {
  const argv = [`if=${from}`, `of=${to}`, "bs=1M", "conv=fsync,notrunc"];
  const { stderr } = await run("dd", argv, { env: { ...process.env, LC_ALL: "C" } });
  const seconds = Number(/copied, ([\d.]+) s/.exec(stderr)?.[1]);
  if (!(seconds > 0)) throw new Error(`dd says: ${stderr}`);
  return seconds;
}

async function oneUpdate(argv: readonly string[]): Promise<Step> {
  const script = join(import.meta.dirname, "step.ts");
  const { stdout, stderr } = await run(process.execPath, [script, ...argv]);
  if (process.env["KEEL_BENCH_PHASES"] !== undefined) console.error(stdout.trim(), stderr.trim());
  const step = JSON.parse(stdout) as Step;
  if (step.how !== "full") throw new Error(`the slot was filled otherwise: ${step.how}`);
  return step;
}
