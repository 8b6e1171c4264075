import { resolve } from "node:path";
import { Option } from "commander";
import type { Register } from "../../invocation.ts";
import { restoreError } from "./backup.ts";

interface Options {
  readonly dataDir: string;
  readonly skipHashCheck?: boolean;
}

export const registerRestore: Register = (group, act) => {
  const restore = group
    .command("restore")
    .argument("<file>", "a backup, or a snapshot that etcdctl has saved")
    .addOption(
      new Option(
        "--data-dir <dir>",
        "the new data directory; it must not exist, or be empty",
      ).makeOptionMandatory(),
    )
    .addOption(
      new Option("--skip-hash-check", "take a file without a digest, such as member/snap/db of an etcd"),
    )
    .description("Make a data directory of a backup; touch no running store.");
  act<Options>(restore, async (keel, [word = ""], { dataDir: given, skipHashCheck = false }) => {
    const { restoreSnapshot } = await import("@keelson/etcd/server");
    const file = resolve(keel.terminal.cwd, word);
    const dataDir = resolve(keel.terminal.cwd, given);
    const result = await restoreSnapshot({ file, dataDir, skipHashCheck }).catch((error: unknown) => {
      throw restoreError(error);
    });
    const { revision, keys, leases } = result;
    keel.output.document({ dataDir, ...result }, () =>
      [
        `${dataDir}: revision ${revision}, ${keys} keys, ${leases} leases\n`,
        "It is a new store with the old contents. To put it in the place of a running one: stop that store,\n",
        "move its data directory away, move this one there, start the store. Keep the old directory until all is well.\n",
        `To look at it alone: keel store serve --data-dir ${dataDir}\n`,
      ].join(""),
    );
  });
};
