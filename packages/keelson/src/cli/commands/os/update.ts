import { Option } from "commander";
import { KeelError } from "../../../base/errors.ts";
import { formatBytes } from "../../../local/progress.ts";
import { recordBaseline } from "../../../updater/gate/this-machine.ts";
import type { Phase } from "../../../updater/records.ts";
import { readUpdateSettings } from "../../../provision/update-settings.ts";
import { openSource, openThisMachine, restartMachine, unitsAtWork } from "../../../updater/this-machine.ts";
import { Updater } from "../../../updater/updater.ts";
import type { ProgressEvent, Updated } from "../../../updater/updater.ts";
import type { Invocation, Register } from "../../invocation.ts";
import { Interrupted } from "../../report-error.ts";
import type { Step } from "../../progress.ts";
import { meansMachines, withMachines } from "./machines/options.ts";
import type { MachinesOptions } from "./machines/options.ts";
import { updateMachines } from "./machines/update.ts";

interface Options extends MachinesOptions {
  readonly from?: string;
  readonly to?: string;
  readonly channel?: string;
  readonly now?: boolean;
  readonly force?: boolean;
  readonly allowDowngrade?: boolean;
}

const phaseNames: Readonly<Record<Phase, string>> = {
  check: "check",
  kernel: "fetch the kernel",
  delta: "make the root image from a delta",
  root: "fetch and write the root image",
  verify: "read the slot back",
  activate: "make it start next",
};

export const registerUpdate: Register = (group, act) => {
  const update = withMachines(group.command("update"))
    .option(
      "--from <place>",
      "a folder, a manifest in one, or a URL of http or https; unless given, what the machine was told at its first boot",
    )
    .option("--to <version>", "this version; otherwise the channel’s, or the newest in the folder")
    .option("--channel <name>", "the channel whose pointer says which version (of a URL: stable)")
    .option("--now", "restart at once; otherwise the next restart starts the new version")
    .option("--allow-downgrade", "accept the signed leave to go back that lies beside the release")
    .option(
      "--force",
      "although it failed here before, the running version is on trial, or units are at work",
    )
    .addOption(new Option("--dry-run", "say what would be done; nothing is written to a slot"))
    .description(
      "Put a release into the slot that does not run, and let the machine start it next. Interrupted, it goes on where it was. With --machines or --all: of the cluster’s machines, each drained, restarted and proven before the next.",
    );
  act<Options>(update, async (keel, _args, options) => {
    // What this machine was told is for this machine only.
    const settings = meansMachines(options) ? {} : await readUpdateSettings();
    const from = options.from ?? settings.source;
    if (from === undefined)
      throw new KeelError("KEEL-104", "nobody said where the release is", {
        hint: "--from PLACE, or `update.source` in the machine's configuration",
      });
    if (meansMachines(options)) return updateMachines(keel, options);
    const { now = false, force = false } = options;
    const channel = options.channel ?? (options.from === undefined ? settings.channel : undefined);
    const machine = await openThisMachine();
    if (now) await refuseAtWork(force);
    const opened = await openSource(from, { cwd: keel.terminal.cwd, clock: keel.clock });
    const to = options.to ?? opened.to;
    const wish = {
      ...(to === undefined ? {} : { to }),
      ...(channel === undefined ? {} : { channel }),
      allowDowngrade: options.allowDowngrade ?? false,
      force,
      signal: keel.signal,
    };
    const updater = new Updater(machine);
    if (options.dryRun === true) {
      const { manifest, plan } = await updater.plan(opened.source, wish);
      keel.output.document({ to: manifest.version, steps: plan.steps, slot: plan.slot }, () =>
        [
          `${manifest.version} would go into slot ${plan.slot}:\n`,
          ...plan.steps.map(
            (step) => `  ${step.kind}${"bytes" in step ? `: ${formatBytes(step.bytes)}` : ""}\n`,
          ),
        ].join(""),
      );
      return;
    }
    const done = await withProgress(keel, (onProgress) =>
      updater.update(opened.source, { ...wish, onProgress, onNote: (text) => keel.progress.note(text) }),
    );
    keel.output.document({ ...done, restarting: now }, () => updatedText(done, now));
    if (!now) return;
    await machine.records.append({
      at: keel.clock.wall(),
      kind: "restart",
      version: done.version,
      from: done.from,
    });
    // What is unwell already is not held against the new version.
    await recordBaseline();
    await restartMachine();
  });
};

/** KEEL-813 when a restart would stop units of the cluster. */
export async function refuseAtWork(force: boolean): Promise<void> {
  const units = force ? [] : await unitsAtWork();
  if (units.length === 0) return;
  const shown = units.slice(0, 5).join(", ");
  throw new KeelError("KEEL-813", `${units.length} units of the cluster run here: ${shown}`, {
    details: { units },
    hint: "without --now the new version starts with the next restart; drain the machine first, or use --force",
  });
}

async function withProgress(
  keel: Invocation,
  task: (onProgress: (event: ProgressEvent) => void) => Promise<Updated>,
): Promise<Updated> {
  let phase: Phase | undefined;
  let step: Step | undefined;
  try {
    const done = await task((event) => {
      if (event.phase !== phase) {
        step?.done();
        step = keel.progress.step(phaseNames[event.phase]);
        phase = event.phase;
      }
      const { done: bytes, total } = event;
      step?.update(event.phase === "activate" ? "" : `${formatBytes(bytes)} of ${formatBytes(total)}`);
      if (keel.output.format === "ndjson") keel.output.event("progress", { ...event }, () => "");
    });
    step?.done();
    return done;
  } catch (error) {
    step?.fail();
    if (!keel.signal.aborted) throw error;
    throw new Interrupted(
      "interrupted: the running version starts as before; the same command goes on from here",
    );
  }
}

function updatedText({ version, from, how, bytes, seconds }: Updated, now: boolean): string {
  const ways = { full: "the whole image", delta: "a delta", present: "already in the slot" } as const;
  const what = `${version} is installed (${ways[how]}, ${formatBytes(bytes)} fetched, ${seconds} s)`;
  const next = now
    ? "The machine restarts."
    : `The next restart starts it: systemctl reboot. Until then ${from} runs; keel os rollback takes it back.`;
  return `${what}\n${next}\n`;
}
