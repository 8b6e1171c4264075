// The boot gate's surroundings on a real machine.
import { systemClock } from "../../base/clock.ts";
import { KeelError } from "../../base/errors.ts";
import { readIfThere, writeAtomically } from "../../host/atomic-file.ts";
import { readOsFacts } from "../../host/os-facts.ts";
import { runProgram } from "../../host/run-program.ts";
import { bootMarks } from "../../model/os-image.ts";
import { BootRecords } from "../boot-records.ts";
import type { BootSlots } from "../boot-slots.ts";
import { FailedVersions, journalEnd } from "../failed-versions.ts";
import { baselineOf, readBaseline, writeBaseline } from "./baseline.ts";
import { surveyEtc } from "../etc/etc.ts";
import type { Baseline } from "./decision.ts";
import type { GateMachine } from "./gate.ts";
import { firstProcessSeconds, lookAtMachine, uptimeSeconds } from "./machine.ts";

export const gateSettings = "/etc/keelson/gate.conf";
const blessedMark = "/run/keelson/blessed";
const defaultDeadline = 300;

/** Seconds from `DEADLINE_SECONDS=` in the text: 30 to 3600, and 300 unless given. As os/image's scripts read it. */
export function parseDeadline(text: string): number {
  const given = [...text.matchAll(/^\s*DEADLINE_SECONDS=(\d{1,5})\s*$/gm)].at(-1)?.[1];
  return Math.min(3600, Math.max(30, given === undefined ? defaultDeadline : Number(given)));
}

/** `left=2 done=1`; undefined when the boot is not on trial. */
export function parseTrial(text: string | undefined): GateMachine["trial"] {
  const match = /^left=(\d{1,3}) done=(\d{1,3})\s*$/.exec(text ?? "");
  return match === null ? undefined : { left: Number(match[1]), done: Number(match[2]) };
}

/** Rejects with KEEL-861 on a machine that was not started from an image. */
export async function thisGateMachine(slots: BootSlots, say: (text: string) => void): Promise<GateMachine> {
  const { version } = await thisVersion();
  const trial = parseTrial(await readIfThere(bootMarks.trial));
  const begun = await uptimeSeconds();
  const started = await firstProcessSeconds();
  return {
    clock: systemClock,
    version,
    boot: ((await readIfThere("/proc/sys/kernel/random/boot_id")) ?? "").trim(),
    trial,
    deadline: parseDeadline((await readIfThere(gateSettings)) ?? ""),
    seconds: async () => (await uptimeSeconds()) - (trial === undefined ? begun : started),
    look: lookAtMachine,
    baseline: { read: () => readBaseline(), write: keep },
    records: new BootRecords(),
    failed: new FailedVersions(),
    entries: () => slots.entries(),
    bless: (one) => slots.bless(one),
    journalEnd: async (boot) => {
      await runProgram(["journalctl", "--sync"], { timeoutMs: 10_000 }).catch(() => {});
      return journalEnd(boot);
    },
    markBlessed: () => writeAtomically(blessedMark, ""),
    restart: async (reason) => {
      await runProgram(["/usr/lib/keelson/trial-end", reason], { timeoutMs: 300_000 });
    },
    say,
  };
}

/** Keeps how the machine is now, so that the next version is measured by it: right before it is restarted into one. */
export async function recordBaseline(): Promise<void> {
  const { version } = await thisVersion();
  const at = Math.round(systemClock.wall() / 1000);
  await keep(baselineOf(await lookAtMachine(), { version, at }));
}

/** What the image has below the machine's own in /etc is to be compared with the next version's, too. */
async function keep(baseline: Baseline): Promise<void> {
  await writeBaseline(baseline);
  await surveyEtc();
}

async function thisVersion(): Promise<{ readonly version: string }> {
  const facts = await readOsFacts();
  if (facts !== undefined) return facts;
  throw new KeelError("KEEL-861", "this machine was not started from an image", {
    hint: `an installed machine has ${bootMarks.os}`,
  });
}
