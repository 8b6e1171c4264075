// The same random histories go to a real etcd 3.5 and to the embedded server, and every answer, every event and the
// checksum of the history is compared. KEELSON_TEST_SEED replays a run, KEELSON_TEST_REQUESTS sets its length, and
// KEELSON_TEST_MIX=sums makes it one of compactions and checksums. What failed is told first and briefly; then the
// history is made as short as can be.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Comparison, stretch, type Step } from "./support/history.ts";
import type { MixName } from "./support/random-requests.ts";
import { brief, cut } from "./support/brief.ts";
import { seeded } from "../../packages/etcd/test/seeded.ts";
import { RandomRequests } from "./support/random-requests.ts";
import { embedded, etcd35, realEtcd } from "./support/servers.ts";
import { shrink } from "./support/shrink.ts";

const SEED = Number(process.env["KEELSON_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const REQUESTS = Number(process.env["KEELSON_TEST_REQUESTS"] ?? 1000);
const MIX = process.env["KEELSON_TEST_MIX"] as MixName | undefined;
const STRETCH = 100;
/** Of a failing history so many of its last steps are shown, each so long, and so much of why it failed. */
const SHOWN_STEPS = 30;
const SHOWN_STEP = 400;
const SHOWN_REASON = 1500;
const SHRINK_MS = 60_000;

const tools = await etcd35();

test(
  "random histories are carried out as etcd carries them out",
  { skip: "unavailable" in tools && tools.unavailable },
  async (t) => {
    if ("unavailable" in tools) return;
    t.diagnostic(`KEELSON_TEST_SEED=${SEED}`);
    const steps: Step[] = [];
    const failure = await firstFailure(tools.etcd, (comparison) => history(comparison, steps));
    if (failure === undefined) return;
    const { length } = steps;
    const where = `seed ${SEED}, step ${length}: ${cut(brief(steps.at(-1)), SHOWN_STEP)}`;
    t.diagnostic(`${where}\n${cut(failure.message, SHOWN_REASON)}`);
    const fails = async (part: readonly Step[]): Promise<boolean> =>
      (await firstFailure(tools.etcd, () => part)) !== undefined;
    const shortest = await shrink(steps, { fails, withinMs: SHRINK_MS });
    const reason = (await firstFailure(tools.etcd, () => shortest)) ?? failure;
    const shown = shortest.slice(-SHOWN_STEPS).map((step) => cut(brief(step), SHOWN_STEP));
    const last = `the last ${shown.length} of the ${shortest.length} steps that are left of it`;
    assert.fail(`${where}\n${cut(reason.message, SHOWN_REASON)}\n${last}:\n${shown.join("\n")}`);
  },
);

test("a failing history is made short", async () => {
  const numbers = Array.from({ length: 200 }, (_, place) => place);
  const fails = (part: readonly number[]) =>
    Promise.resolve([17, 18, 150].every((one) => part.includes(one)));
  assert.deepEqual(await shrink(numbers, { fails, withinMs: 10_000 }), [17, 18, 150]);
  assert.deepEqual(await shrink(numbers, { fails, withinMs: -1 }), numbers);
});

/** Random steps, kept as they are made. */
function* history(comparison: Comparison, kept: Step[]): Generator<Step, void, void> {
  const random = new RandomRequests(seeded(SEED));
  for (let done = 0; done < REQUESTS; done += STRETCH) {
    for (const step of stretch(random, () => comparison.revision, MIX)) {
      kept.push(step);
      yield step;
    }
  }
}

/** Carries steps out on a fresh pair of servers, up to the first one that fails. */
async function firstFailure(
  etcd: string,
  stepsOf: (comparison: Comparison) => Iterable<Step>,
): Promise<Error | undefined> {
  await using real = await realEtcd(etcd);
  await using ours = await embedded();
  using comparison = new Comparison(real.address, ours.address);
  for (const step of stepsOf(comparison)) {
    try {
      await comparison.take(step);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
  return undefined;
}
