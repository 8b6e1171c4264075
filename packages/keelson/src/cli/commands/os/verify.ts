import { readFile } from "node:fs/promises";
import { exitCode, KeelError } from "../../../base/errors.ts";
import { formatBytes } from "../../../local/progress.ts";
import { kernelWords } from "../../../model/os-image.ts";
import { kernelWord } from "../../../updater/disk-slots/kernel-image.ts";
import { openThisMachine } from "../../../updater/this-machine.ts";
import { parseVerity, verifySlot } from "../../../updater/verify-system.ts";
import type { Register } from "../../invocation.ts";

export const registerVerify: Register = (group, act) => {
  const verify = group
    .command("verify")
    .description(
      "Read every block of the running slot from the disk and compare it with the root hash that the signed kernel names. Exits 1 when a block differs.",
    );
  act(verify, async (keel) => {
    const { slots } = await openThisMachine();
    const running = await slots.running();
    const active = (await slots.slots()).find((slot) => slot.active);
    if (active === undefined) throw new KeelError("KEEL-801", "no slot runs");
    const word = kernelWord(await readFile("/proc/cmdline", "utf8"), kernelWords.verity) ?? "";
    const verity = parseVerity(word);
    const good = await keel.progress.run(`read slot ${active.name}`, (step) =>
      verifySlot(slots, active.name, {
        verity,
        signal: keel.signal,
        progress: (done, total) => step.update(`${formatBytes(done)} of ${formatBytes(total)}`),
      }),
    );
    const { rootHash } = verity;
    keel.output.document({ version: running.version, slot: active.name, good, rootHash }, () =>
      good
        ? `slot ${active.name} holds ${running.version}, every block of it: ${rootHash}\n`
        : `slot ${active.name} differs from ${running.version}: blocks on the disk have changed\n`,
    );
    return good ? exitCode.done : exitCode.failed;
  });
};
