// Why a unit is where it is, or nowhere, as one would tell it to a colleague.
import type { WhyMachineView, WhyView } from "../api/wire/reasons.ts";
import type { Paint } from "./colour.ts";
import { alignColumns } from "./table.ts";

type Explained = WhyView["instances"][number];

/** A sentence for each instance, then each machine with its reason. */
export function whyText(why: WhyView, paint: Paint): string {
  if (why.instances.length === 0) {
    return `${paint("bold", why.unit)} has no instances: nothing asks for any. \`keel scale ${why.unit} 1\` does.\n`;
  }
  const more = why.leftOut === 0 ? "" : `\n… and ${why.leftOut} more instances: ask for one by its name.\n`;
  return `${why.instances.map((instance) => explainedText(instance, paint)).join("\n")}${more}`;
}

function explainedText(instance: Explained, paint: Paint): string {
  const width = Math.max(0, ...instance.machines.map((machine) => machine.name.length));
  const lines = instance.machines.map((machine) => {
    const name = machine.name.padEnd(width);
    return `  ${machine.current ? paint("bold", name) : name}  ${machineWords(machine)}\n`;
  });
  return `${paint("bold", instance.name)} ${whereWords(instance)}\n${reasonLines(instance)}${lines.join("")}`;
}

/** What accounts for how it is, as sentences; what it waits for stands in the line above. */
function reasonLines({ reasons }: Explained): string {
  return reasons
    .filter(({ topic }) => topic !== "waits")
    .map(({ text }) => `  ${text}.\n`)
    .join("");
}

/** Most units that are listed of a machine. */
const mostLines = 40;

/** Why a machine is as it is: what is to be known of it, what it has, what it refuses. */
export function whyMachineText({ name, reasons, has, refuses }: WhyMachineView, paint: Paint): string {
  const known = reasons.map(({ text }) => `  ${text}.\n`).join("");
  const units = has.map(({ instance, state, because, stays }) => [
    `  ${instance}`,
    state,
    stays === "" ? because : `${because}; stays for now: ${stays}`,
  ]);
  const waiting = refuses.map(({ instance, reason }) => [`  ${instance}`, `not here: it ${reason}`]);
  const list = (title: string, rows: readonly (readonly string[])[]): string => {
    const more = rows.length > mostLines ? `  … and ${rows.length - mostLines} more\n` : "";
    return rows.length === 0 ? "" : `${title}\n${alignColumns(rows.slice(0, mostLines))}${more}`;
  };
  const count = `${has.length} ${has.length === 1 ? "unit" : "units"}`;
  return `${paint("bold", name)} has ${count}.\n${known}${list("It has", units)}${list("It refuses", waiting)}`;
}

/** `is on m2: it had the fewest units (1).` or `is on no machine: no machine has disk=ssd.` */
function whereWords({ on, because, waitsFor, machines }: Explained): string {
  if (on.length === 0) return `is on no machine${waitsFor === "" ? "" : `: ${waitsFor}`}.`;
  const names = on.map((id) => machines.find((machine) => machine.id === id)?.name ?? id.slice(0, 8));
  const place = `is on ${listed(names)}${because === "" ? "" : `: ${because}`}.`;
  return waitsFor === "" ? place : `${place} It waits: ${waitsFor}.`;
}

function machineWords(machine: Explained["machines"][number]): string {
  const reasons = machine.reasons.join("; ");
  if (machine.current || machine.fits) return reasons === "" ? "fits" : reasons;
  return `no: ${reasons === "" ? "no reason is known" : reasons}`;
}

/** `m1`, `m1 and m2`, `m1, m2 and m3`. */
function listed(names: readonly string[]): string {
  const [last = "", ...before] = names.toReversed();
  return before.length === 0 ? last : `${before.toReversed().join(", ")} and ${last}`;
}
