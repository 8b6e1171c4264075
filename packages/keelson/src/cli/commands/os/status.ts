import { KeelError } from "../../../base/errors.ts";
import { firmwareKeys } from "../../../updater/firmware-keys.ts";
import { openThisMachine } from "../../../updater/this-machine.ts";
import { readSystemStatus } from "../../../updater/system-status.ts";
import type { SystemStatus } from "../../../updater/system-status.ts";
import { formatAge } from "../../duration.ts";
import type { Register } from "../../invocation.ts";
import { showClusterStatus } from "./machines/status.ts";

export const registerStatus: Register = (group, act) => {
  const status = group
    .command("status")
    .argument("[machine]", "a machine of the cluster; the one that this runs on if absent")
    .option("--machine <name>", "the same as a word")
    .option("--all", "all machines of the cluster, and how far their update is")
    .description(
      "Show which version runs, whether it is on trial, what is in the other slot, what starts next, and which versions failed here.",
    );
  act<{ readonly all?: boolean; readonly machine?: string }>(status, async (keel, [word], options) => {
    const { all = false, machine = word } = options;
    if ([all || undefined, options.machine, word].filter((one) => one !== undefined).length > 1)
      throw new KeelError("KEEL-104", "one machine or all of them: name it once");
    if (all || machine !== undefined) return showClusterStatus(keel, all ? undefined : machine);
    const found = await readSystemStatus(await openThisMachine());
    const secureBoot = (await firmwareKeys()) !== undefined;
    keel.output.document({ ...found, secureBoot }, () =>
      [
        statusText(found, keel.clock.wall()),
        ...(secureBoot ? [row("Secure Boot", "on: only signed versions start")] : []),
      ].join(""),
    );
  });
};

export function statusText(status: SystemStatus, now: number): string {
  const { running, other, next, failed, update } = status;
  const { trial } = running;
  const rows = [
    [
      "running",
      `${running.version} (${running.variant}), slot ${running.slot}${trial === undefined ? "" : ", on trial"}`,
    ],
    ["other slot", `${other.slot}: ${otherText(other)}`],
    ["starts next", `${next.version} (${reasons[next.because]})`],
  ];
  if (update !== undefined) {
    const share = update.total === 0 ? 0 : Math.floor((100 * update.done) / update.total);
    const state = update.state === "runs" ? "under way" : "interrupted";
    rows.push(["update", `${update.version} from ${update.source}: ${state}, ${update.phase} ${share} %`]);
  }
  for (const { version, reason, at } of failed)
    rows.push([
      "failed",
      `${version}${at === undefined ? "" : `, ${formatAge(at * 1000, now)} ago`}: ${reason}`,
    ]);
  return rows.map(([name = "", text = ""]) => row(name, text)).join("");
}

const row = (name: string, text: string): string => `${name.padEnd(13)}${text}\n`;

const reasons = {
  runs: "it runs now",
  update: "installed, waits for a restart",
  rollback: "gone back to, waits for a restart",
  menu: "it is first in the boot menu",
} as const;

function otherText({ version, tries }: SystemStatus["other"]): string {
  if (version === undefined) return "nothing that could start";
  if (tries === undefined) return `${version}, good`;
  if (tries.left === 0) return `${version}, only started when nothing else can`;
  return `${version}, not proven yet, ${tries.left} tries`;
}
