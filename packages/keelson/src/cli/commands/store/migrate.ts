import { exitCode, KeelError } from "../../../base/errors.ts";
import type { Register } from "../../invocation.ts";
import { confirmMove, movedText, moveStore } from "../../store-move.ts";
import { memberCount, printPlan } from "./grow.ts";

interface Options {
  readonly to?: string;
  readonly members?: string;
  readonly forgetOld?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

export const registerMigrate: Register = (group, act) => {
  const migrate = group
    .command("migrate")
    .option("--to <kind>", "where to: etcd, a cluster on several machines, or embedded, in one keeld")
    .option("--members <number>", "with --to etcd: how many members (3)")
    .option("--forget-old", "delete what the store has left behind where it was")
    .option("--dry-run", "with --to etcd: print the plan and change nothing")
    .option("-y, --yes", "ask nothing")
    .description("Move the store while everything runs, with the same revisions, or forget where it was.");
  act<Options>(migrate, async (keel, _args, options) => {
    const { to, forgetOld } = options;
    if ((to === undefined) === (forgetOld !== true))
      throw new KeelError("KEEL-104", "say either --to etcd, --to embedded or --forget-old");
    if (forgetOld === true) {
      await confirmMove(keel, "Delete the former store's data?", { ...options, noun: "deletion" });
      const forgotten = await (await keel.daemon()).store.forgetFormer();
      const text =
        forgotten.length === 0
          ? "there is nothing left of a former store"
          : `deleted ${forgotten.join(", ")}`;
      keel.output.document({ forgotten }, () => `${text}\n`);
      return exitCode.done;
    }
    if (to !== "etcd" && to !== "embedded")
      throw new KeelError("KEEL-104", `--to ${to}: the store is etcd or embedded`);
    const members = memberCount(options.members);
    if (options.dryRun === true) {
      if (to !== "etcd") throw new KeelError("KEEL-104", "--dry-run goes with --to etcd");
      return printPlan(keel, await (await keel.daemon()).store.planGrowth(members));
    }
    await confirmMove(
      keel,
      to === "etcd" ? `Move the store to ${members} members?` : "Move the store into this keeld?",
      options,
    );
    const outcome = await moveStore(keel, to === "etcd" ? { to, members } : { to });
    keel.output.document({ outcome }, () => movedText(outcome));
    return exitCode.done;
  });
};
