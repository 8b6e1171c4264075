// Our image beside a stock Debian server with Docker, booted by the same QEMU in turns: both get kernel and initrd
// directly, so that no firmware and no boot loader is in the figures.
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { runCommand } from "../packages/keelson/src/local/command.ts";
import type { Progress } from "../packages/keelson/src/local/progress.ts";
import { toolsTree } from "../packages/keelson/src/local/tree/tools-tree.ts";
import { buildImage } from "../packages/keelson/src/image/build-image.ts";
import type { BuiltImage } from "../packages/keelson/src/image/build-image.ts";
import { compressedRoot } from "../packages/keelson/src/image/release-files.ts";
import { bootOnce } from "./os/boot.ts";
import type { BootFigures, BootOptions } from "./os/boot.ts";
import { stockServer } from "./os/stock.ts";
import type { Bootable } from "./os/stock.ts";
import { median } from "./statistics.ts";
import type { BenchOptions, BenchResult, BenchRow } from "./result.ts";

const repository = resolve(import.meta.dirname, "..");
const mega = 1e6;

const progress: Progress = {
  step: (name) => ({
    update() {},
    done: (detail) => console.error(`${name}${detail === undefined ? "" : `: ${detail}`}`),
    fail: () => console.error(`${name}: failed`),
  }),
};

/** A cluster of one machine, with its store inside of keeld. */
const keeld = JSON.stringify({
  cluster: "bench",
  roles: ["agent", "leader", "api", "store"],
  address: "127.0.0.1",
  store: {
    endpoints: ["http://127.0.0.1:2379"],
    listen: [{ host: "127.0.0.1", port: 2379 }],
    dataDir: "/var/lib/keelson/store",
  },
});

/** Rows by what they need: minutes of packing, boots with instructions counted, boots by the clock. */
const needs = { packing: "download", counting: "instructions", clock: "boot by the clock" } as const;

export async function run({ rounds = 5, only = /^/ }: BenchOptions = {}): Promise<BenchResult> {
  const isWanted = (need: keyof typeof needs): boolean => only.test(needs[need]);
  const tools = await toolsTree({ repository, progress });
  const work = await mkdtemp(join(tmpdir(), "keelson-bench-os-"));
  try {
    const cached = await stockServer(tools, progress);
    const stock = { ...cached, disk: await copyOf(cached.disk, join(work, "stock.raw")) };
    const own = await ownImage(work);
    const systems = [
      { name: "own", system: own, credentials: { "keelson.config": keeld } },
      { name: "stock", system: stock, credentials: {} },
    ] as const;
    const counted = new Map<string, BootFigures>();
    const walls = new Map<string, BootFigures[]>();
    const boot = async (
      index: 0 | 1,
      options: Pick<BootOptions, "counted" | "keeps">,
    ): Promise<BootFigures> => {
      const { name, system, credentials } = systems[index];
      const result = await bootOnce(system, { tools, credentials, ...options });
      console.error(
        `${name}${options.counted ? ", counted" : ""}: ${result.wallSeconds.toFixed(1)} s, ${result.state}`,
      );
      return result;
    };
    // The first boot of a disk makes keys, grows file systems and enables units; the boots that count come after it.
    for (const index of [0, 1] as const) await boot(index, { counted: false, keeps: true });
    for (const index of [0, 1] as const)
      counted.set(systems[index].name, await boot(index, { counted: true }));
    for (let round = 0; round < (isWanted("clock") ? rounds : 0); round++) {
      for (const index of [0, 1] as const) {
        const { name } = systems[index];
        walls.set(name, [...(walls.get(name) ?? []), await boot(index, { counted: false })]);
      }
    }
    return {
      name: "os",
      how: `our image with keeld running beside Debian trixie’s standard system with Docker, kernel and initrd by QEMU, 1 GB, the second boot of each disk; ${isWanted("clock") ? `${rounds} boots each in turns with 2 processors, ` : ""}one each with 1 processor and instructions counted`,
      rows: rows({
        counted,
        walls,
        ownBytes: isWanted("packing") ? await own.downloadBytes() : undefined,
        stockBytes: await stock.downloadBytes(),
      }),
    };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What is cached is not booted: its disk is copied. */
async function copyOf(disk: string, to: string): Promise<string> {
  await runCommand(["cp", "--sparse=always", disk, to]);
  return to;
}

async function ownImage(work: string): Promise<Bootable> {
  const built = await buildImage({ repository, variant: "vm", version: "0.1.0", progress });
  return {
    disk: await copyOf(built.disk, join(work, "own.raw")),
    kernel: join(built.folder, "vmlinuz"),
    initrd: join(built.folder, "initrd.zst"),
    commandLine: await readFile(join(built.folder, "cmdline"), "utf8"),
    downloadBytes: () => downloadOf(built),
  };
}

/** The root as a release has it, and the kernel. Packed once for a build: it takes minutes. */
async function downloadOf(image: BuiltImage): Promise<number> {
  const archive = await compressedRoot({ repository, image, compression: "small", progress });
  return (await stat(archive)).size + (await stat(image.kernel)).size;
}

interface Measured {
  /** Undefined when nothing was packed. */
  readonly ownBytes: number | undefined;
  readonly stockBytes: number;
  readonly counted: ReadonlyMap<string, BootFigures>;
  readonly walls: ReadonlyMap<string, readonly BootFigures[]>;
}

function rows({ ownBytes, stockBytes, counted, walls }: Measured): readonly BenchRow[] {
  const middle = (name: string, value: (figures: BootFigures) => number): number =>
    median((walls.get(name) ?? [counted.get(name)]).flatMap((figures) => figures ?? []).map(value));
  const instructions = (name: string): number => counted.get(name)?.workSeconds ?? Number.NaN;
  const row = (
    what: string,
    unit: string,
    { mine, theirs, ...more }: { mine: number; theirs: number; reach?: string; note?: string },
  ): BenchRow => ({
    what,
    unit,
    value: mine,
    peer: theirs,
    peerName: "stock",
    ratio: mine / theirs,
    ...more,
  });
  const memory = (figures: BootFigures): number => figures.memoryAvailable / mega;
  const names = (name: string): string =>
    Object.entries(Object.groupBy(counted.get(name)?.processes ?? [], (process) => process))
      .map(([process, all = []]) => (all.length === 1 ? process : `${all.length} ${process}`))
      .join(" ");
  const download = row("download: root and kernel as a release has them", "MB", {
    mine: (ownBytes ?? Number.NaN) / mega,
    theirs: stockBytes / mega,
    reach: "at most 90 MB",
    note: "stock: its files, zstd -9",
  });
  const clock = row("boot by the clock, median", "s", {
    mine: middle("own", ({ wallSeconds }) => wallSeconds),
    theirs: middle("stock", ({ wallSeconds }) => wallSeconds),
    reach: "ratio at most 0.3",
    note: (walls.get("own") ?? []).map(({ wallSeconds }) => wallSeconds.toFixed(1)).join(", "),
  });
  return [
    ...(ownBytes === undefined ? [] : [download]),
    row("boot until everything is started, keeld and its store ready", "billion instructions", {
      mine: instructions("own"),
      theirs: instructions("stock"),
      reach: "ratio at most 0.25",
      note: "what one processor worked, waiting left out",
    }),
    ...(walls.size === 0 ? [] : [clock]),
    row("memory available", "MB", {
      mine: middle("own", memory),
      theirs: middle("stock", memory),
      reach: "ratio at least 1.28",
    }),
    row("processes of user space", "", {
      mine: middle("own", ({ processes }) => processes.length),
      theirs: middle("stock", ({ processes }) => processes.length),
      reach: "ratio at most 0.5",
      note: names("own"),
    }),
  ];
}
