// One start of the simulated machine: what systemd-boot chooses and counts, what the kernel image looks for, and what
// dm-verity lets through.
import { createHash } from "node:crypto";
import { bootEntryName, parseBootEntry } from "../../model/os-image.ts";
import type { BootEntry, SlotName } from "../../model/os-image.ts";
import { compareEntries } from "../boot-order.ts";
import { readErofsUuid } from "../disk-slots/erofs.ts";
import { readKernelCommandLine } from "../disk-slots/kernel-image.ts";
import { readKernel } from "./simulated-kernel.ts";

export interface Boot {
  readonly version: string;
  readonly slot: SlotName;
  readonly commandLine: string;
}

/** Undefined when what was chosen did not start; its tries are counted, and the machine would restart. */
export async function bootOnce(
  files: Map<string, Uint8Array>,
  slots: Readonly<Record<SlotName, Uint8Array>>,
): Promise<Boot | undefined> {
  const menu: { readonly name: string; readonly entry: BootEntry }[] = [];
  for (const [name, content] of files) {
    const entry = parseBootEntry(name);
    if (entry !== undefined && (await commandLineOf(content)) !== undefined) menu.push({ name, entry });
  }
  const [chosen] = menu.toSorted((one, other) => compareEntries(one.entry, other.entry));
  if (chosen === undefined) return undefined;
  const content = files.get(chosen.name) ?? new Uint8Array();
  count(files, chosen, content);
  const kernel = await readKernel(content);
  if (kernel === undefined) return undefined;
  for (const slot of ["a", "b"] as const) {
    if (readErofsUuid(slots[slot].subarray(0, 4096)) !== kernel.uuid) continue;
    const digest = createHash("sha256").update(slots[slot].subarray(0, kernel.bytes)).digest("hex");
    if (digest !== kernel.sha256) continue;
    return { version: kernel.version, slot, commandLine: (await commandLineOf(content)) ?? "" };
  }
  return undefined;
}

function count(
  files: Map<string, Uint8Array>,
  { name, entry }: { readonly name: string; readonly entry: BootEntry },
  content: Uint8Array,
): void {
  const { tries, version } = entry;
  if (tries === undefined || tries.left === 0) return;
  files.delete(name);
  files.set(bootEntryName({ version, tries: { left: tries.left - 1, done: tries.done + 1 } }), content);
}

function commandLineOf(content: Uint8Array): Promise<string | undefined> {
  return readKernelCommandLine(async (position, length) => content.subarray(position, position + length));
}
