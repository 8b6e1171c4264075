// Whether a machine is in service, in one word.
import type { MachineView } from "../api/wire/machine.ts";

/** `cordoned`; `draining` while units are on a machine that is to have none, then `drained`; undefined in service. */
export function outOfServiceWord({
  cordoned,
  drain,
  instances,
}: MachineView): "cordoned" | "draining" | "drained" | undefined {
  if (drain !== undefined) return instances > 0 ? "draining" : "drained";
  return cordoned === true ? "cordoned" : undefined;
}
