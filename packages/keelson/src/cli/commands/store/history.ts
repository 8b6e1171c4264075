import type { KeyHistory, StoredKey } from "../../../model/stored-key.ts";
import type { Register } from "../../invocation.ts";
import { absent } from "./get.ts";
import { openKeys, spanOf, withKeyOptions } from "./key-options.ts";
import type { KeyOptions } from "./key-options.ts";
import { difference } from "./value-difference.ts";
import { keyDocument, keyText, leaseText, valueText } from "./value-text.ts";

export const registerHistory: Register = (group, act) => {
  const history = group
    .command("history")
    .argument("<key>", "the key")
    .description(
      "Show every state of a key that the store still has, and what changed from one to the next.",
    );
  act<KeyOptions>(withKeyOptions(history), async (keel, [word = ""], options) => {
    const span = spanOf(word, options);
    await using opened = await openKeys(keel, options);
    const past = await opened.keys.history(span.start);
    if (past.states.length === 0) throw absent(span, 0);
    keel.output.list({
      name: "states",
      type: "state",
      items: past.states.map((state) => ({ ...keyDocument(state), deleted: state.version === 0 })),
      more: { revision: past.revision, compactRevision: past.compactRevision, cut: past.isCut },
      text: () => asText(keyText(span.start), past),
    });
  });
};

function asText(name: string, { states, isCut, compactRevision }: KeyHistory): string {
  const lines = [name];
  if (isCut) lines.push(`what was before revision ${compactRevision} has been compacted`);
  for (const [place, state] of states.entries()) lines.push(...stateLines(state, states[place - 1]));
  return `${lines.join("\n")}\n`;
}

function stateLines(state: StoredKey, before: StoredKey | undefined): readonly string[] {
  const { modRevision, version, lease, value } = state;
  if (version === 0) return [`revision ${modRevision}  deleted`];
  const hangs = lease === 0n ? "" : `, by the holder of lease ${leaseText(lease)}`;
  const head = `revision ${modRevision}  version ${version}, ${value.length} bytes${hangs}`;
  const isFirst = before === undefined || before.version === 0;
  const shown = isFirst ? valueText(value).split("\n") : difference(before.value, value);
  return [head, ...shown.filter((line) => line !== "").map((line) => `  ${line}`)];
}
