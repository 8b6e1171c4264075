import { resolve } from "node:path";
import { Option } from "commander";
import { KeelError } from "../../../base/errors.ts";
import type { Invocation, Register } from "../../invocation.ts";
import { restoreError } from "./backup.ts";
import { restoreRunning } from "./restore-running.ts";

interface Options {
  readonly dataDir?: string;
  readonly skipHashCheck?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export const registerRestore: Register = (group, act) => {
  const restore = group
    .command("restore")
    .argument("<file>", "a backup, or a snapshot that etcdctl has saved")
    .addOption(
      new Option(
        "--data-dir <dir>",
        "make this data directory of it and touch no running store; it must not exist, or be empty",
      ).conflicts(["dryRun", "yes"]),
    )
    .addOption(
      new Option(
        "--skip-hash-check",
        "with --data-dir: take a file without a digest, such as member/snap/db of an etcd",
      ),
    )
    .option("--dry-run", "prove the backup, print the plan and change nothing")
    .option("-y, --yes", "ask nothing")
    .description("Put the cluster's embedded store back to a backup, or make a data directory of one.");
  act<Options>(restore, async (keel, [word = ""], options) => {
    const file = resolve(keel.terminal.cwd, word);
    if (options.dataDir !== undefined) return restoreDirectory(keel, file, options);
    if (options.skipHashCheck === true) {
      throw new KeelError("KEEL-104", "--skip-hash-check goes with --data-dir", {
        hint: "the running store takes a file with a digest only: restore, serve and back up the directory",
      });
    }
    return restoreRunning(keel, file, options);
  });
};

async function restoreDirectory(
  keel: Invocation,
  file: string,
  { dataDir: given = "", skipHashCheck = false }: Options,
): Promise<void> {
  const { restoreSnapshot } = await import("@keelson/etcd/server");
  const dataDir = resolve(keel.terminal.cwd, given);
  const result = await restoreSnapshot({ file, dataDir, skipHashCheck }).catch((error: unknown) => {
    throw restoreError(error);
  });
  const { revision, keys, leases } = result;
  keel.output.document({ dataDir, ...result }, () =>
    [
      `${dataDir}: revision ${revision}, ${keys} keys, ${leases} leases\n`,
      "It is a new store with the old contents, and no running store was touched.\n",
      `To look at it: keel store serve --data-dir ${dataDir}\n`,
      `To put a cluster's store back to it: keel store restore ${file}\n`,
    ].join(""),
  );
}
