import { KeelError } from "../../../base/errors.ts";
import { LinuxDisk } from "../../../updater/disk-slots/linux-disk.ts";
import { DiskSlots } from "../../../updater/disk-slots/disk-slots.ts";
import { readBaseline } from "../../../updater/gate/baseline.ts";
import { assess } from "../../../updater/gate/decision.ts";
import { runGate } from "../../../updater/gate/gate.ts";
import { thisGateMachine } from "../../../updater/gate/this-machine.ts";
import type { Register } from "../../invocation.ts";

export const registerGate: Register = (group, act) => {
  const gate = group
    .command("gate")
    .option("--once", "look once, say what is missing, and change nothing")
    .description("Decide whether this boot is a good one; keelson-gate.service runs it in every boot.");
  act<{ readonly once?: boolean }>(gate, async (keel, _args, { once = false }) => {
    const say = (text: string): void => keel.terminal.err(`${text}\n`);
    const machine = await thisGateMachine(new DiskSlots(new LinuxDisk()), say);
    const { version, trial } = machine;
    if (once) {
      const facts = { ...(await machine.look()), seconds: await machine.seconds() };
      const { broken, missing } = assess(facts, { baseline: await readBaseline() });
      const reasons = [...broken, ...missing];
      keel.output.document({ version, trial: trial ?? null, healthy: reasons.length === 0, reasons }, () =>
        reasons.length === 0 ? "healthy\n" : reasons.map((reason) => `${reason}\n`).join(""),
      );
      if (reasons.length > 0) throw unhealthy(reasons);
      return;
    }
    const verdict = await runGate(machine);
    if (verdict.kind === "failed") throw unhealthy(verdict.reasons);
    keel.output.document({ version, trial: trial ?? null, healthy: true, reasons: [] }, () => "healthy\n");
  });
};

const unhealthy = (reasons: readonly string[]): KeelError =>
  new KeelError("KEEL-864", `the boot is not healthy: ${reasons.join("; ")}`, { details: { reasons } });
