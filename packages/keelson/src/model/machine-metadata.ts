// What is known of a machine in keys and values: what it says of itself, and what people say over that.
import type { ClusterSnapshot } from "./cluster.ts";
import type { Machine } from "./machine.ts";
import type { MachineSettings } from "./machine-settings.ts";

/** The machine's own metadata under what people set; a key that they set to the empty value is gone. */
export function effectiveMetadata(
  own: Machine["metadata"],
  settings: Pick<MachineSettings, "metadata"> | undefined,
): Machine["metadata"] {
  const set = Object.entries(settings?.metadata ?? {});
  if (set.length === 0) return own;
  const merged = new Map([...Object.entries(own), ...set]);
  return Object.fromEntries([...merged].filter(([, value]) => value !== ""));
}

/** Every machine that is there, with its effective metadata; the very same record where nothing was set. */
export function effectiveMachines({
  machines,
  machineSettings,
}: Pick<ClusterSnapshot, "machines" | "machineSettings">): Machine[] {
  return [...machines.values()].map((machine) => {
    const metadata = effectiveMetadata(machine.metadata, machineSettings.get(machine.id));
    return metadata === machine.metadata ? machine : { ...machine, metadata };
  });
}
