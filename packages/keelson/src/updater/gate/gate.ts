// Carries the boot gate's decision out: blesses the boot, or puts on record why not and restarts the machine.
// `keelson-gate.service` runs it in every boot: as a part of it while the boot is on trial, once later otherwise.
import type { Clock } from "../../base/clock.ts";
import { describeError } from "../../base/errors.ts";
import type { BootEntry } from "../../model/os-image.ts";
import type { BootRecords } from "../boot-records.ts";
import { usedUpVersions } from "../failed-versions.ts";
import type { FailedVersions } from "../failed-versions.ts";
import { baselineOf } from "./baseline.ts";
import { decide, firstLook } from "./decision.ts";
import type { Baseline, GateFacts, Verdict } from "./decision.ts";

/** What the gate needs of the machine. */
export interface GateMachine {
  readonly clock: Clock;
  readonly version: string;
  readonly boot: string;
  /** Undefined when the boot loader does not count this boot. */
  readonly trial: { readonly left: number; readonly done: number } | undefined;
  /** Seconds, within bounds. */
  readonly deadline: number;
  /** Seconds since the start that count: since the machine's on trial, since the gate's otherwise. */
  readonly seconds: () => Promise<number>;
  readonly look: () => Promise<Omit<GateFacts, "seconds">>;
  readonly baseline: { read(): Promise<Baseline | undefined>; write(baseline: Baseline): Promise<void> };
  readonly records: Pick<BootRecords, "read" | "addVerdict">;
  readonly failed: Pick<FailedVersions, "get" | "record" | "forget">;
  readonly entries: () => Promise<readonly BootEntry[]>;
  readonly bless: (version: string) => Promise<void>;
  readonly journalEnd: (boot: string) => Promise<string>;
  /** Tells trial-watch that the boot needs no watching any more. */
  readonly markBlessed: () => Promise<void>;
  /** Records the reason and restarts; returns only when that failed. */
  readonly restart: (reason: string) => Promise<void>;
  readonly say: (text: string) => void;
}

export const lookEveryMs = 2000;

/** Resolves with the verdict, which is never that it still waits. */
export async function runGate(machine: GateMachine): Promise<Exclude<Verdict, { kind: "waiting" }>> {
  const verdict = await awaitVerdict(machine);
  const at = Math.round(machine.clock.wall() / 1000);
  if (verdict.kind === "healthy") {
    await acceptBoot(machine, at);
    return verdict;
  }
  for (const reason of verdict.reasons) machine.say(reason);
  await attempt(machine, "the verdict", () =>
    machine.records.addVerdict(machine.boot, {
      verdict: verdict.restart ? "failed" : "unhealthy",
      reasons: verdict.reasons,
      at,
    }),
  );
  if (verdict.restart) await giveUp(machine, verdict.reasons, at);
  else await noteDown(machine, at);
  return verdict;
}

async function awaitVerdict(machine: GateMachine): Promise<Exclude<Verdict, { kind: "waiting" }>> {
  const { deadline } = machine;
  const baseline = await machine.baseline.read();
  let memory = firstLook;
  for (let said = ""; ; await machine.clock.sleep(lookEveryMs)) {
    const seconds = await machine.seconds();
    const facts = await machine.look().catch((error: unknown) => blind(error));
    const step = decide(
      memory,
      { ...facts, seconds },
      { onTrial: machine.trial !== undefined, deadline, baseline },
    );
    ({ memory } = step);
    if (step.verdict.kind !== "waiting") return step.verdict;
    const words = step.verdict.reasons.join("; ");
    if (words !== said) machine.say(`waiting: ${words}`);
    said = words;
  }
}

/** A machine that cannot be looked at is not healthy, and may become so. */
function blind(error: unknown): Omit<GateFacts, "seconds"> {
  return { booted: false, jobs: [], units: [], blind: `systemd does not answer (${describeError(error)})` };
}

async function acceptBoot(machine: GateMachine, at: number): Promise<void> {
  const { version, trial } = machine;
  await machine.markBlessed();
  if (trial !== undefined) {
    await machine.bless(version);
    await machine.failed.forget(version);
    machine.say(`version ${version} is healthy: it stays`);
  }
  await attempt(machine, "the verdict", () =>
    machine.records.addVerdict(machine.boot, { verdict: "good", reasons: [], at }),
  );
  await noteDown(machine, at);
}

/** How the machine is, by which a later version is measured, and which versions were given up before. */
async function noteDown(machine: GateMachine, at: number): Promise<void> {
  await attempt(machine, "how the machine is", async () => {
    const facts = await machine.look();
    await machine.baseline.write(baselineOf(facts, { version: machine.version, at }));
  });
  await attempt(machine, "failed versions", () => noteUsedUp(machine, at));
}

async function giveUp(machine: GateMachine, reasons: readonly string[], at: number): Promise<void> {
  const { boot, version, trial } = machine;
  await attempt(machine, "the reason", async () => {
    const journal = await machine.journalEnd(boot);
    await machine.failed.record({ version, at, tries: trial?.done ?? 0, reasons, boot, journal });
  });
  await machine.restart(reasons[0] ?? "the boot is not healthy");
}

/** Versions that the boot loader has given up: why, and the end of their last journal. */
async function noteUsedUp(machine: GateMachine, at: number): Promise<void> {
  const used = usedUpVersions(await machine.entries(), machine.version, await machine.records.read());
  for (const { version, tries, reasons, boot } of used) {
    const known = await machine.failed.get(version);
    if (known !== undefined && known.tries >= tries && known.boot === boot) continue;
    const journal = boot === undefined ? "" : await machine.journalEnd(boot);
    const ofBoot = boot === undefined ? {} : { boot };
    await machine.failed.record({
      version,
      at,
      tries,
      reasons: known === undefined ? reasons : [...new Set([...known.reasons, ...reasons])],
      ...ofBoot,
      journal: journal === "" ? (known?.journal ?? "") : journal,
    });
    machine.say(`version ${version} was tried ${tries} times and did not hold: ${reasons.join("; ")}`);
  }
}

async function attempt(machine: GateMachine, what: string, action: () => Promise<void>): Promise<void> {
  await action().catch((error: unknown) =>
    machine.say(`${what} cannot be put on record: ${describeError(error)}`),
  );
}
