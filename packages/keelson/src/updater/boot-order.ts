// What the boot loader starts next: systemd-boot's boot_entry_compare, as far as Keelson's entries differ.
import type { BootEntry } from "../model/os-image.ts";
import { compareVersions } from "../releases/words.ts";

/** Negative when `one` comes first: entries with no tries left are last, then the higher version counts. */
export function compareEntries(one: BootEntry, other: BootEntry): number {
  const spent = ({ tries }: BootEntry): number => (tries?.left === 0 ? 1 : 0);
  return (
    spent(one) - spent(other) ||
    compareVersions(other.version, one.version) ||
    (other.tries?.left ?? -1) - (one.tries?.left ?? -1) ||
    (one.tries?.done ?? -1) - (other.tries?.done ?? -1)
  );
}

/** Undefined when there is no entry at all. */
export function nextEntry<Entry extends BootEntry>(entries: readonly Entry[]): Entry | undefined {
  return entries.toSorted(compareEntries)[0];
}
