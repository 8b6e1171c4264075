// The operating systems of the cluster's machines as a table, and how far the latest update is.
import { KeelError } from "../../../../base/errors.ts";
import type { MachineSystemView, SystemUpdateView, SystemView } from "../../../../api/wire/system-update.ts";
import { formatAge } from "../../../duration.ts";
import type { Invocation } from "../../../invocation.ts";
import { paintColumn, renderTable } from "../../../table.ts";
import type { Column } from "../../../table.ts";

const columns: readonly Column<MachineSystemView>[] = [
  { name: "machine", cell: ({ name }) => name },
  { name: "version", cell: ({ system }) => system?.version ?? "" },
  { name: "slot", cell: ({ system }) => system?.slot ?? "" },
  { name: "other", cell: ({ system }) => system?.other ?? "" },
  { name: "state", cell: stateWord },
  { name: "why", cell: whyWords },
];

/** All machines, or one. Throws KEEL-502 for one that is not there. */
export async function showClusterStatus(keel: Invocation, name: string | undefined): Promise<void> {
  const shown = await systemOf(keel, name);
  keel.output.document({ ...shown }, () => clusterStatusText(shown, keel));
}

/** What the cluster knows of the systems of all machines, or of one. Throws KEEL-502 for one that is not there. */
export async function systemOf(keel: Invocation, name: string | undefined): Promise<SystemView> {
  const view = await (await keel.daemon()).system();
  const machines =
    name === undefined
      ? view.machines
      : view.machines.filter((one) => one.name === name || one.machine === name);
  if (name !== undefined && machines.length === 0)
    throw new KeelError("KEEL-502", `there is no machine ${name}`);
  return { ...view, machines };
}

/** A line on the update, a line for each machine, and what failed on them. */
export function clusterStatusText(
  { update, machines }: SystemView,
  { clock, paint }: Pick<Invocation, "clock" | "paint">,
): string {
  const head = update === null ? "" : `${updateWords(update, clock.wall())}\n`;
  const failed = machines.flatMap(({ name, system }) =>
    (system?.failed ?? []).map(
      ({ version, reason, at }) => `${name}: ${version} failed ${formatAge(at, clock.wall())}: ${reason}\n`,
    ),
  );
  // What an update that is over has left is told by the machines themselves.
  const isOpen = update !== null && update.state !== "done" && update.state !== "aborted";
  const rows = isOpen
    ? machines
    : machines.map((one) => (one.step?.name === "restarting" ? one : { ...one, step: null }));
  return `${head}${renderTable(paintColumn(columns, "state", paint), rows)}${failed.join("")}`;
}

/** `update to 1.1.0: halted, 1 of 3 done, begun 4m 2s ago: m2 went back to 1.0.0`. */
function updateWords({ to, state, done, total, reason, started }: SystemUpdateView, now: number): string {
  const what = to === "previous" ? "return to the version before" : `update to ${to}`;
  const why = reason === "" ? "" : `: ${reason}`;
  return `${what}: ${state}, ${done} of ${total} done, begun ${formatAge(started, now)}${why}`;
}

function stateWord({ up, system, step }: MachineSystemView): string {
  if (step !== null && step.name !== "done") return step.name;
  if (!up) return "away";
  if (system === null) return "no slots";
  if (system.onTrial) return "on trial";
  return system.next === null ? "good" : `restart to ${system.next}`;
}

function whyWords({ step, system }: MachineSystemView): string {
  if (system === null) return "it was not started from an image with two slots";
  if (step === null || step.name === "done") return "";
  if (step.name === "waiting" && step.reason === "") return `turn ${step.turn}`;
  return step.reason;
}
