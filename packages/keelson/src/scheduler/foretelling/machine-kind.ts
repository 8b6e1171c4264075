// Whether a machine is of the kind that a unit asks for, whatever is on it.
import type { Machine } from "../../model/machine.ts";
import type { Placeable } from "../placeable.ts";
import type { Site } from "../board/site.ts";

export interface Rejection {
  /** In words that follow the machine's name: "has no region=eu". */
  readonly text: string;
  /** Goes away by itself. */
  readonly transient: boolean;
  /** How much is free, 0 to 1, where room is what is missing; such texts differ from machine to machine. */
  readonly free?: number;
}

type KindCheck = (unit: Pick<Placeable, "rules">, site: Site) => Rejection | undefined;

export const no = (text: string): Rejection => ({ text, transient: false });

/** Whether `wanted` (of MachineID=) means this machine: identity, eight or more of its first characters, boot id, name. */
export function isMachine(wanted: string, { id, name, bootId }: Machine): boolean {
  if (wanted === id || wanted === name) return true;
  const plain = wanted.toLowerCase().replaceAll("-", "");
  return (plain.length >= 8 && id.startsWith(plain)) || plain === bootId.toLowerCase().replaceAll("-", "");
}

export const pinned: KindCheck = ({ rules: { machine } }, site) =>
  machine === undefined || isMachine(machine, site.machine) ? undefined : no(`is not the machine ${machine}`);

export const metadata: KindCheck = ({ rules }, { machine }) => {
  for (const [key, values] of rules.metadata) {
    const has = Object.hasOwn(machine.metadata, key) ? machine.metadata[key] : undefined;
    if (has !== undefined && values.includes(has)) continue;
    return no(
      has === undefined ? `has no ${key}=${values.join("|")}` : `has ${key}=${has}, not ${values.join("|")}`,
    );
  }
  return undefined;
};

/** Whether the machine itself is of the right kind, whatever is on it. */
export const isOfTheRightKind = (unit: Placeable, site: Site): boolean =>
  pinned(unit, site) === undefined && metadata(unit, site) === undefined;
