// Machines crash, freeze, are cut off in one direction or both, and have slow ways and wrong clocks; daemons and the
// store come and go; events come twice; people change what they want. All of it by a seed. What must hold at every
// step, and when the storm is over, stands in invariants.ts by name.
// `npm run storms`: KEELSON_SEED=N replays one storm, KEELSON_STORMS=N plays so many, KEELSON_HOURS=N plays new ones
// for so much virtual time; KEELSON_ROUNDS=N is how often each storm comes back (once, and 10 times for hours).
import { describe, test } from "node:test";
import { checkCalm, checkEmpty } from "./calm.ts";
import { Storm } from "./storm.ts";

const hours = Number(process.env["KEELSON_HOURS"] ?? 0);
const rounds = Number(process.env["KEELSON_ROUNDS"] ?? (hours > 0 ? 10 : 1));

/** Returns the virtual milliseconds that it took. */
async function weather(seed: number): Promise<number> {
  await using storm = new Storm(seed);
  try {
    await storm.begin();
    for (let round = 0; round < rounds; round++) {
      await storm.rage();
      await storm.calm();
      checkCalm(storm.cluster);
    }
    await storm.end();
    checkEmpty(storm.cluster);
    return storm.cluster.clock.now();
  } catch (error) {
    const tail = storm.cluster.events
      .slice(-80)
      .map(({ atMs, text }) => `${(atMs / 1000).toFixed(2)} ${text}`);
    const again = `KEELSON_SEED=${seed} KEELSON_ROUNDS=${rounds} npm run storms`;
    const text = `${tail.join("\n")}\n${(error as Error).message}\nplay it again: ${again}`;
    throw new Error(text, { cause: error });
  }
}

describe("storms", () => {
  const only = process.env["KEELSON_SEED"];
  if (only !== undefined) {
    test(`seed ${only}`, async () => void (await weather(Number(only))));
  } else if (hours > 0) {
    test(`${hours} hours`, { timeout: hours * 600_000 }, async () => {
      const first = Math.floor(Math.random() * 2 ** 31);
      let played = 0;
      for (let seed = first; played < hours * 3_600_000; seed++) played += await weather(seed);
      console.log(`${(played / 3_600_000).toFixed(1)} hours from seed ${first}`);
    });
  } else {
    const count = Number(process.env["KEELSON_STORMS"] ?? 20);
    for (let seed = 1; seed <= count; seed++) test(`seed ${seed}`, async () => void (await weather(seed)));
  }
});
