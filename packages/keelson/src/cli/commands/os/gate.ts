import { KeelError } from "../../../base/errors.ts";
import { DiskSlots } from "../../../updater/disk-slots/disk-slots.ts";
import { thisDisk } from "../../../updater/this-disk.ts";
import { assess } from "../../../updater/gate/decision.ts";
import { thisGateMachine } from "../../../updater/gate/this-machine.ts";
import type { Register } from "../../invocation.ts";

export const registerGate: Register = (group, act) => {
  const gate = group
    .command("gate")
    .description("Look at this machine as the boot gate does, and say what is missing; changes nothing.");
  act(gate, async (keel) => {
    const machine = await thisGateMachine(new DiskSlots(await thisDisk()), () => {});
    const { version, trial } = machine;
    const facts = { ...(await machine.look()), seconds: await machine.seconds() };
    const { broken, missing } = assess(facts, { baseline: await machine.baseline.read() });
    const reasons = [...broken, ...missing];
    const healthy = reasons.length === 0;
    keel.output.document({ version, trial: trial ?? null, healthy, reasons }, () =>
      healthy ? "healthy\n" : "",
    );
    if (!healthy)
      throw new KeelError("KEEL-864", `the boot is not healthy: ${reasons.join("; ")}`, {
        details: { reasons },
      });
  });
};
