// Power cuts at random moments of an update, each followed by a start. The power is cut by killing the emulator: what
// the guest has not flushed is lost with its memory, and with the emulator's own tables of the disk.
//
// KEEL_SEED replays a run, KEEL_CUTS says how many (100). A run that was stopped goes on where it was.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../packages/keelson/src/base/random.ts";
import { TestMachine } from "../test/os/support/machine.ts";
import { serveReleases } from "../test/os/support/release-server.ts";
import type { ReleaseServer } from "../test/os/support/release-server.ts";
import { testImage, writeTestRelease } from "../test/os/support/releases.ts";
import type { BenchResult } from "./result.ts";

const patience = { timeoutMs: 600_000 };
const old = "0.1.0";
const fresh = "0.2.0";

interface Tally {
  readonly seed: number;
  readonly cuts: readonly { readonly afterMs: number; readonly started: string }[];
  /** How long an update takes here that nobody stops. */
  readonly wholeMs: number;
}

export async function run(): Promise<BenchResult> {
  const seed = Number(process.env["KEEL_SEED"] ?? 20_261_121);
  const wanted = Number(process.env["KEEL_CUTS"] ?? 100);
  const path = join("/var/cache/keelson/bench", `power-cuts-${seed}.json`);
  let tally = await readTally(path, seed);
  const folder = await mkdtemp(join(tmpdir(), "keelson-bench-cuts-"));
  try {
    const image = await testImage(old);
    await writeTestRelease(await testImage(fresh), folder);
    await using server = await serveReleases(folder);
    while (tally.cuts.length < wanted) {
      await using machine = await TestMachine.boot({
        image: image.disk,
        diskBytes: 5 * 2 ** 30,
        outward: true,
      });
      await machine.untilStarted(patience);
      if (tally.wholeMs === 0) {
        tally = { ...tally, wholeMs: await wholeUpdate(machine, server) };
        await keep(path, tally);
        continue;
      }
      for (let started = old; started === old && tally.cuts.length < wanted;) {
        const number = tally.cuts.length;
        const afterMs = Math.floor(seededRandom(seed + number).next() * tally.wholeMs * 1.05);
        started = await cutOnce(machine, server, afterMs);
        tally = { ...tally, cuts: [...tally.cuts, { afterMs, started }] };
        await keep(path, tally);
        console.error(
          `KEEL_SEED=${seed} cut ${number + 1} of ${wanted}: after ${afterMs} ms, ${started} started`,
        );
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const good = tally.cuts.filter(({ started }) => started === old || started === fresh).length;
  const newer = tally.cuts.filter(({ started }) => started === fresh).length;
  return {
    name: "power-cuts",
    how: `KEEL_SEED=${seed}: ${tally.cuts.length} cuts at random moments of an update of the real image, each followed by a start`,
    rows: [
      { what: "good starts", value: good, unit: `of ${tally.cuts.length}`, reach: "all of them" },
      { what: "of these, of the new version", value: newer, unit: "starts" },
    ],
  };
}

async function wholeUpdate(machine: TestMachine, { url }: ReleaseServer): Promise<number> {
  const begin = performance.now();
  await machine.sh(`keel os update --from ${url} --to ${fresh} --force`, patience);
  return Math.round(performance.now() - begin);
}

/** The version that starts after the cut. Throws when none does. */
async function cutOnce(machine: TestMachine, { url }: ReleaseServer, afterMs: number): Promise<string> {
  const update = machine.ssh(`keel os update --from ${url} --to ${fresh} --force`, patience);
  await Promise.race([sleep(afterMs), update]);
  await machine.powerCut();
  await update.catch(() => undefined);
  await machine.start();
  await machine.untilSsh(patience);
  return (await machine.sh(". /etc/os-release; echo $VERSION_ID", patience)).trim();
}

async function readTally(path: string, seed: number): Promise<Tally> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  const found = text === undefined ? undefined : (JSON.parse(text) as Tally);
  return found ?? { seed, cuts: [], wholeMs: 0 };
}

async function keep(path: string, tally: Tally): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, JSON.stringify(tally));
}
