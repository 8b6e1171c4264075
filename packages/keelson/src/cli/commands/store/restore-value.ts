import { Option } from "commander";
import type { Register } from "../../invocation.ts";
import { absent } from "./get.ts";
import { openKeys, spanOf, withKeyOptions } from "./key-options.ts";
import type { KeyOptions } from "./key-options.ts";
import { difference } from "./value-difference.ts";
import { keyText } from "./value-text.ts";
import { wholeNumber } from "./whole-number.ts";

interface Options extends KeyOptions {
  readonly revision: string;
  readonly force?: boolean;
}

export const registerRestoreValue: Register = (group, act) => {
  const restore = group
    .command("restore-value")
    .argument("<key>", "the key")
    .addOption(
      new Option("--revision <number>", "the revision whose value it is to have again").makeOptionMandatory(),
    )
    .addOption(new Option("--force", "also below /keelson/, where Keelson keeps its own records"))
    .description("Give a key a value back that it had, unless someone else writes it meanwhile.");
  act<Options>(withKeyOptions(restore), async (keel, [word = ""], options) => {
    const span = spanOf(word, options);
    const wanted = wholeNumber(options.revision, "--revision", { least: 1 }) ?? 0;
    await using opened = await openKeys(keel, options);
    const { keys } = opened;
    const [old] = (await keys.range(span, { revision: wanted })).keys;
    if (old === undefined) throw absent(span, wanted);
    const now = await keys.range(span);
    const [current] = now.keys;
    const name = keyText(span.start);
    if (current !== undefined && Buffer.compare(current.value, old.value) === 0) {
      const same = { key: name, revision: current.modRevision, restored: old.modRevision, changed: false };
      return keel.output.document(same, () => `${name} has that value already\n`);
    }
    const change = { span, force: options.force, unchangedSince: current?.modRevision ?? 0 };
    const { revision } = await keys.put(change, old.value);
    keel.output.document({ key: name, revision, restored: old.modRevision, changed: true }, () => {
      const lines = difference(current?.value ?? new Uint8Array(), old.value).map((line) => `  ${line}\n`);
      const back = keel.command(`store restore-value '${name}' --revision ${revision - 1}`);
      const undo = current === undefined ? "" : `undo: ${back}\n`;
      return `${name} has the value of revision ${old.modRevision} again, at revision ${revision}\n${lines.join("")}${undo}`;
    });
  });
};
