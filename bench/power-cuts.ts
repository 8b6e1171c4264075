// Power cuts at random moments of an update of the real image, each followed by a start of what the disk may be then.
// One update runs in a machine whose disk keeps a log of every write; a cut takes a place in this log: what was
// flushed before is on the disk, of the writes since then any part. That is harsher than to kill the emulator, which
// loses no write that the host took, and needs one update instead of a hundred.
//
// KEEL_SEED replays a run, KEEL_CUTS says how many (100), KEEL_AT_ONCE how many machines start beside each other (2).
// A run that was stopped goes on where it was.
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { seededRandom } from "../packages/keelson/src/base/random.ts";
import type { BuiltImage } from "../packages/keelson/src/image/build-image.ts";
import { TestMachine } from "../test/os/support/machine.ts";
import { serveReleases } from "../test/os/support/release-server.ts";
import { testImage, writeTestRelease } from "../test/os/support/releases.ts";
import { CutDisk } from "./power-cuts/cut-disk.ts";
import { WriteLog } from "./power-cuts/write-log.ts";
import type { BenchResult } from "./result.ts";

const patience = { timeoutMs: 900_000 };
const old = "0.1.0";
const fresh = "0.2.0";
const diskBytes = 5 * 2 ** 30;

/** Places in the log: the update's first entry, and the one after its last. */
interface Recorded {
  readonly first: number;
  readonly end: number;
}

interface Cut {
  readonly at: number;
  readonly kept: number;
  readonly lost: number;
  /** The version that started, or what went wrong. */
  readonly started: string;
}

export async function run(): Promise<BenchResult> {
  const seed = Number(process.env["KEEL_SEED"] ?? 20_261_121);
  const wanted = Number(process.env["KEEL_CUTS"] ?? 100);
  const atOnce = Number(process.env["KEEL_AT_ONCE"] ?? 2);
  const images = { old: await testImage(old), fresh: await testImage(fresh) };
  const name = `${basename(images.old.folder)}-${basename(images.fresh.folder)}`;
  const folder = join("/var/cache/keelson/bench/power-cuts", name);
  const recorded = await record(images, folder);
  await using log = await WriteLog.open(join(folder, "writes.log"));
  const tallyPath = join(folder, `${seed}.json`);
  const done = new Map(JSON.parse(await readFile(tallyPath, "utf8").catch(() => "[]")) as [number, Cut][]);
  const places = cutPlaces(recorded, { seed, wanted });
  const worker = async (own: number): Promise<void> => {
    const path = join(folder, `cut-${own}.raw`);
    await using disk = await CutDisk.make({ base: join(folder, "base.raw"), path, log });
    for (const [number, at] of places) {
      if (number % atOnce !== own || done.has(number)) continue;
      const left = await disk.cutAt(at, seededRandom(seed + number));
      const started = await start(path, join(folder, "id_ed25519")).catch(
        (error: unknown) => `nothing: ${String(error)}`,
      );
      done.set(number, { at, ...left, started });
      await writeFile(`${tallyPath}.new`, JSON.stringify([...done]));
      await rename(`${tallyPath}.new`, tallyPath);
      console.error(
        `KEEL_SEED=${seed} cut ${number}, the ${done.size}th of ${wanted}: at write ${at - recorded.first} of ${recorded.end - recorded.first}, ${left.lost} of ${left.kept + left.lost} unflushed writes lost; ${started} started`,
      );
    }
    await rm(path);
  };
  await Promise.all(Array.from({ length: atOnce }, (_, own) => worker(own)));
  const cuts = [...done.values()];
  const count = (version: string): number => cuts.filter(({ started }) => started === version).length;
  return {
    name: "power-cuts",
    how: `KEEL_SEED=${seed}: ${cuts.length} cuts at random places among the ${recorded.end - recorded.first} disk requests of an update of the real image, unflushed writes lost or torn by chance, each followed by a start by UEFI`,
    rows: [
      {
        what: "good starts",
        value: count(old) + count(fresh),
        unit: `of ${cuts.length}`,
        reach: "all of them",
        note: `${cuts.reduce((sum, { lost }) => sum + lost, 0)} writes lost`,
      },
      { what: "of these, of the new version", value: count(fresh), unit: "starts" },
    ],
  };
}

/** Half anywhere in the update, half in its last tenth, where it is activated. By number of the cut, in rising order. */
function cutPlaces(
  { first, end }: Recorded,
  { seed, wanted }: { readonly seed: number; readonly wanted: number },
): readonly (readonly [number: number, at: number])[] {
  const random = seededRandom(seed);
  const places = Array.from({ length: wanted }, (_, number) => {
    const share = number % 4 < 2 ? random.next() : 1 - random.next() / 10;
    return [number, Math.min(end, first + Math.ceil(share * (end - first)))] as const;
  });
  return places.toSorted(([, one], [, other]) => one - other);
}

/** A whole update in a machine whose disk keeps a log. Kept for the runs that go on. */
async function record(images: { old: BuiltImage; fresh: BuiltImage }, folder: string): Promise<Recorded> {
  const path = join(folder, "recorded.json");
  if (existsSync(path)) return JSON.parse(await readFile(path, "utf8")) as Recorded;
  await mkdir(folder, { recursive: true });
  const files = {
    base: join(folder, "base.raw"),
    disk: join(folder, "disk.raw"),
    log: join(folder, "writes.log"),
  };
  for (const file of [files.base, files.disk]) {
    await copyFile(images.old.disk, file);
    await truncate(file, diskBytes);
  }
  await writeFile(files.log, "");
  const release = await mkdtemp(join(tmpdir(), "keelson-bench-cuts-"));
  try {
    await writeTestRelease(images.fresh, release);
    await using server = await serveReleases(release);
    await using machine = await TestMachine.boot({
      outward: true,
      binds: [folder],
      arguments: loggedDisk(files),
    });
    await machine.untilStarted(patience);
    await machine.sh("sync", patience);
    for (const part of ["id_ed25519", "id_ed25519.pub"])
      await copyFile(join(machine.folder, part), join(folder, part));
    const first = await entriesIn(files.log);
    console.error(`the machine has started; ${first} disk requests so far`);
    await machine.sh(`keel os update --from ${server.url} --to ${fresh} --force`, patience);
    await machine.sh("sync", patience);
    const recorded = { first, end: await entriesIn(files.log) };
    await machine.powerCut();
    await writeFile(path, JSON.stringify(recorded));
    await rm(files.disk);
    return recorded;
  } finally {
    await rm(release, { recursive: true, force: true });
  }
}

async function entriesIn(path: string): Promise<number> {
  await using log = await WriteLog.open(path);
  return log.entries.length;
}

/** QEMU's arguments for a disk whose requests are logged. */
function loggedDisk(files: { readonly disk: string; readonly log: string }): string[] {
  const nodes = [
    { driver: "file", "node-name": "disk-file", filename: files.disk },
    { driver: "raw", "node-name": "disk-raw", file: "disk-file" },
    { driver: "file", "node-name": "log-file", filename: files.log },
    { driver: "blklogwrites", "node-name": "disk-logged", file: "disk-raw", log: "log-file" },
  ];
  return [
    ...nodes.flatMap((node) => ["-blockdev", JSON.stringify(node)]),
    "-device",
    "virtio-blk-pci,drive=disk-logged,bootindex=1",
  ];
}

/** The version that starts from a disk, with everything in it running. Throws when none does. */
async function start(disk: string, key: string): Promise<string> {
  await using machine = await TestMachine.boot({ image: disk, processors: 1, key });
  const state = await machine.untilStarted(patience);
  const version = (await machine.sh(". /etc/os-release; echo $VERSION_ID", patience)).trim();
  if (state !== "running") throw new Error(`${version} is ${state}`);
  return version;
}
