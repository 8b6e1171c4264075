import { Option } from "commander";
import { KeelError } from "../../../base/errors.ts";
import { checkChange } from "../../../model/stored-key.ts";
import type { KeyPage } from "../../../model/stored-key.ts";
import type { Register } from "../../invocation.ts";
import { absent } from "./get.ts";
import { openKeys, spanOf, withKeyOptions } from "./key-options.ts";
import type { KeyOptions } from "./key-options.ts";
import { keyText } from "./value-text.ts";

interface Options extends KeyOptions {
  readonly prefix?: boolean;
  readonly force?: boolean;
  readonly yes?: boolean;
}

const shownKeys = 20;

export const registerDel: Register = (group, act) => {
  const del = group
    .command("del")
    .argument("<key>", "the key")
    .addOption(new Option("--prefix", "all keys that begin with it"))
    .addOption(new Option("--force", "also below /keelson/, where Keelson keeps its own records"))
    .addOption(new Option("-y, --yes", "ask nothing"))
    .description("Delete a key, after showing what goes.");
  act<Options>(withKeyOptions(del), async (keel, [word = ""], options) => {
    const span = spanOf(word, options);
    checkChange({ span, force: options.force });
    await using opened = await openKeys(keel, options);
    const page = await opened.keys.range(span, { limit: shownKeys, keysOnly: true });
    if (page.count === 0 && options.prefix !== true) throw absent(span, 0);
    if (page.count > 0 && options.yes !== true) {
      keel.terminal.err(whatGoes(page));
      if (!keel.terminal.interactive)
        throw new KeelError("KEEL-716", "nothing is deleted unasked: repeat with --yes");
      const answer = await keel.terminal.ask(`Delete ${words(page.count)}? [y/N] `, keel.signal);
      if (!/^y(es)?$/i.test(answer.trim())) throw new KeelError("KEEL-716", "nothing was deleted");
    }
    // What was written after it was shown is not deleted unseen.
    const change = { span, force: options.force, unchangedSince: page.revision };
    const { revision, removed } =
      page.count === 0 ? { revision: page.revision, removed: 0 } : await opened.keys.remove(change);
    keel.output.document({ removed, revision }, () => `${words(removed)} deleted at revision ${revision}\n`);
  });
};

function whatGoes({ keys, count }: KeyPage): string {
  const lines = keys.map(({ key, version }) => `- ${keyText(key)}  (version ${version})\n`);
  return lines.join("") + (count > keys.length ? `… ${count - keys.length} more\n` : "");
}

function words(count: number): string {
  return count === 1 ? "1 key" : `${count} keys`;
}
