import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "../../src/base/random.ts";
import { DiskSlots } from "../../src/updater/disk-slots/disk-slots.ts";
import { PowerCut } from "../../src/updater/simulated-disk/simulated-disk.ts";
import { simulatedMachine, simulatedRelease } from "../../src/updater/simulated-disk/simulated-machine.ts";
import { install, slotsSuite } from "./slots-suite.ts";

const bytes = 1_100_000;
const running = simulatedRelease("2.0.0", bytes);
const newer = simulatedRelease("2.10.0", bytes + 4096);
const older = simulatedRelease("1.9.0", bytes - 8192);

slotsSuite("simulated disk", async () => {
  const disk = await simulatedMachine(running, { random: seededRandom(1) });
  return { slots: new DiskSlots(disk), running, newer, older, [Symbol.asyncDispose]: async () => {} };
});

/** KEEL_SEED replays one run. */
const seeds =
  process.env.KEEL_SEED === undefined
    ? Array.from({ length: 3 }, (_, seed) => seed)
    : [Number(process.env.KEEL_SEED)];

describe("power cuts in simulation", () => {
  for (const target of [newer, older])
    test(`at every step of an update to ${target.version} the old or the whole new release starts`, async () => {
      for (const seed of seeds) await cutEverywhere(target, seed);
    });

  test("at every step of going back, one of the two starts", async () => {
    for (const seed of seeds)
      await everyStep(seed, async (steps) => {
        const disk = await simulatedMachine(running, { random: seededRandom(seed + steps) });
        const slots = new DiskSlots(disk);
        await install(slots, newer);
        await disk.start();
        await slots.bless(newer.version);
        disk.cutAfter(steps);
        const cut = await survives(async () => {
          await slots.retry(running.version);
          await slots.condemn(newer.version);
        });
        const boot = await disk.start();
        assert.ok(
          boot?.version === running.version || (cut && boot?.version === newer.version),
          `step ${steps}`,
        );
        return cut;
      });
  });
});

async function cutEverywhere(target: typeof newer, seed: number): Promise<void> {
  await everyStep(seed, async (steps) => {
    const where = `KEEL_SEED=${seed}, step ${steps}`;
    const disk = await simulatedMachine(running, { random: seededRandom(seed * 1000 + steps) });
    const slots = new DiskSlots(disk);
    disk.cutAfter(steps);
    const cut = await survives(() => install(slots, target));
    const boot = await disk.start();
    assert.ok(boot !== undefined, `${where}: nothing starts`);
    if (!cut) assert.equal(boot.version, target.version, `${where}: the update was whole`);
    assert.ok([running.version, target.version].includes(boot.version), where);
    // The next update works whatever was left, and what then runs may be blessed.
    if (boot.version !== target.version) {
      await install(slots, target);
      assert.equal((await disk.start())?.version, target.version, `${where}: the second try`);
    }
    await slots.bless(target.version);
    assert.equal((await disk.start())?.version, target.version, `${where}: blessed`);
    return cut;
  });
}

/** Runs with the power going in step 0, 1, … until a run ends before its cut. */
async function everyStep(seed: number, run: (steps: number) => Promise<boolean>): Promise<void> {
  let steps = 0;
  while (await run(steps)) steps++;
  assert.ok(steps > 3, `seed ${seed}: a run has steps`);
}

async function survives(task: () => Promise<void>): Promise<boolean> {
  try {
    await task();
    return false;
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
    return true;
  }
}
