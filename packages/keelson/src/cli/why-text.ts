// Why a unit is where it is, or nowhere, as one would tell it to a colleague.
import type { InstanceView, MachineView, WhyView } from "../api/wire.ts";
import type { Paint } from "./colour.ts";
import { count } from "./plan-text.ts";

type WhyInstance = WhyView["instances"][number];

export interface WhyFacts {
  readonly why: WhyView;
  readonly instances: readonly InstanceView[];
  readonly machines: readonly MachineView[];
}

/** A paragraph for each instance, then each machine with its reason. */
export function whyText({ why, instances, machines }: WhyFacts, paint: Paint): string {
  if (why.instances.length === 0)
    return "It has no instances: nothing asks for it to be on a machine. `keel start` does.\n";
  return why.instances.map((item) => instanceText(item, viewOf(item, instances), machines, paint)).join("\n");
}

function instanceText(
  item: WhyInstance,
  view: InstanceView | undefined,
  machines: readonly MachineView[],
  paint: Paint,
): string {
  const others = item.machines.filter((machine) => machine.id !== item.machine);
  const width = Math.max(0, ...others.map((machine) => machine.name.length));
  const lines = others.map((machine) => `  ${machine.name.padEnd(width)}  ${machineWords(machine)}\n`);
  const heading = item.machine === null ? "The machines:" : others.length === 0 ? "" : "The other machines:";
  return `${paint("bold", item.name)} ${whereWords(item, view, machines)}\n${heading === "" ? "" : `${heading}\n`}${lines.join("")}`;
}

/** `runs on m2, because …; it is healthy since …`. */
function whereWords(
  item: WhyInstance,
  view: InstanceView | undefined,
  machines: readonly MachineView[],
): string {
  if (item.machine === null) return waitingWords(item);
  const name = machines.find((machine) => machine.id === item.machine)?.name ?? item.machine.slice(0, 8);
  const because = item.because === "" ? "" : `: ${item.because}`;
  const place = `is on ${name}${because}.`;
  if (!view || view.state === "healthy" || view.state === "loaded")
    return `${place}${view?.state === "loaded" ? " It is not asked to run." : ""}`;
  const reason = view.reason === "" ? "" : `: ${view.reason}`;
  return `${place} It is ${view.state}${reason}.`;
}

function waitingWords(item: WhyInstance): string {
  const because = item.because === "" ? "" : ` ${capital(item.because)}.`;
  const fitting = item.machines.filter((machine) => machine.fits).length;
  if (item.machines.length === 0) return `waits: there are no machines.${because}`;
  if (fitting > 0) return `waits to be placed: ${count(fitting, "machine")} would do.${because}`;
  return `waits: none of the ${count(item.machines.length, "machine")} will do. It starts as soon as one does.${because}`;
}

function machineWords(machine: WhyInstance["machines"][number]): string {
  const reasons = machine.reasons.join("; ");
  if (machine.fits) return reasons === "" ? "would do as well" : `would do: ${reasons}`;
  return `no: ${reasons === "" ? "no reason is known" : reasons}`;
}

function viewOf(item: WhyInstance, instances: readonly InstanceView[]): InstanceView | undefined {
  return instances.find((instance) => instance.name === item.name && instance.machine === item.machine);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
