// How the machine was before an update, kept so that the new version is measured by that.
import { join } from "node:path";
import { mkdir } from "node:fs/promises";
import * as z from "zod/mini";
import { readIfThere, writeAtomically } from "../../host/atomic-file.ts";
import { statePaths } from "../../model/os-image.ts";
import type { Baseline, GateFacts } from "./decision.ts";

const names = z.array(z.string().check(z.maxLength(300))).check(z.maxLength(10_000));

const schema = z.object({
  version: z.string().check(z.maxLength(100)),
  at: z.number().check(z.gte(0)),
  keeld: z.boolean(),
  store: z.boolean(),
  failed: names,
  active: names,
  scheduled: names,
});

/** What is known of a machine now, to measure a later version by. */
export function baselineOf(
  facts: Omit<GateFacts, "seconds">,
  { version, at }: { readonly version: string; readonly at: number },
): Baseline {
  const { keeld, units } = facts;
  const namesOf = (choose: (unit: GateFacts["units"][number]) => boolean) =>
    units.filter(choose).map(({ name }) => name);
  return {
    version,
    at,
    // A machine that had no configuration yet has broken no promise with it.
    keeld: keeld === undefined || (keeld.active && keeld.answers),
    store: keeld === undefined || keeld.store !== false,
    failed: namesOf(({ active }) => active === "failed"),
    active: namesOf(({ active, standing, scheduled }) => active === "active" && standing && !scheduled),
    scheduled: namesOf(({ active, scheduled }) => active === "active" && scheduled),
  };
}

const file = (folder: string): string => join(folder, "baseline.json");

export async function writeBaseline(baseline: Baseline, folder: string = statePaths.updater): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeAtomically(file(folder), `${JSON.stringify(baseline)}\n`, 0o600);
}

/** Undefined when there is none that can be read. Units that had failed by the last shutdown are added. */
export async function readBaseline(folder: string = statePaths.updater): Promise<Baseline | undefined> {
  const text = await readIfThere(file(folder)).catch(() => undefined);
  if (text === undefined || text.length > 8 << 20) return undefined;
  let baseline: Baseline | undefined;
  try {
    baseline = schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
  if (baseline === undefined) return undefined;
  const late = (await readIfThere(join(folder, "failed-units")).catch(() => undefined)) ?? "";
  const failed = late.slice(0, 100_000).split("\n").filter(Boolean);
  return { ...baseline, failed: [...new Set([...baseline.failed, ...failed])] };
}
