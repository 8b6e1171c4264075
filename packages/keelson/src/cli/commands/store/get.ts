import { Option } from "commander";
import { KeelError } from "../../../base/errors.ts";
import type { KeySpan, StoredKey } from "../../../model/stored-key.ts";
import type { Register } from "../../invocation.ts";
import { firstKeys } from "./key-pages.ts";
import { openKeys, spanOf, withKeyOptions } from "./key-options.ts";
import type { KeyOptions } from "./key-options.ts";
import { keyDocument, keyText, leaseText, valueText } from "./value-text.ts";
import { wholeNumber } from "./whole-number.ts";

interface Options extends KeyOptions {
  readonly prefix?: boolean;
  readonly revision?: string;
  readonly limit?: string;
  readonly raw?: boolean;
}

const defaultLimit = 100;

export const registerGet: Register = (group, act) => {
  const get = group
    .command("get")
    .argument("<key>", "the key")
    .addOption(new Option("--prefix", "all keys that begin with it"))
    .addOption(new Option("--revision <number>", "as the store was at this revision"))
    .addOption(new Option("--limit <number>", `with --prefix: at most this many keys (${defaultLimit})`))
    .addOption(new Option("--raw", "print the value, byte for byte, and nothing else"))
    .description("Show a key’s value: as text, as JSON laid out, or in hex.");
  act<Options>(withKeyOptions(get), async (keel, [word = ""], options) => {
    const span = spanOf(word, options);
    const limit = wholeNumber(options.limit, "--limit", { least: 1 }) ?? defaultLimit;
    const revision = wholeNumber(options.revision, "--revision", { least: 1 }) ?? 0;
    if (options.prefix === true && options.raw === true)
      throw new KeelError("KEEL-104", "--raw prints one key, not --prefix");
    if (options.limit !== undefined && options.prefix !== true)
      throw new KeelError("KEEL-104", "--limit goes with --prefix");
    await using opened = await openKeys(keel, options);
    const page = await firstKeys(opened.keys, span, { limit, revision });
    const [first] = page.keys;
    if (first === undefined && options.prefix !== true) throw absent(span, revision);
    if (options.raw === true) return keel.terminal.out(first?.value ?? new Uint8Array());
    if (options.prefix !== true && first !== undefined) {
      return keel.output.document({ revision: page.revision, ...keyDocument(first) }, () => withHead(first));
    }
    const hidden = page.count - page.keys.length;
    keel.output.list({
      name: "keys",
      type: "key",
      items: page.keys.map(keyDocument),
      more: { revision: page.revision, count: page.count },
      text: () =>
        page.keys.map(withHead).join("\n") + (hidden > 0 ? `… ${hidden} more; --limit shows them\n` : ""),
    });
  });
};

export function absent({ start }: KeySpan, revision: number): KeelError {
  const when = revision > 0 ? ` at revision ${revision}` : "";
  return new KeelError("KEEL-712", `the store has no key ${keyText(start)}${when}`);
}

function withHead(stored: StoredKey): string {
  const { key, value, createRevision, modRevision, version, lease } = stored;
  const hangs = lease === 0n ? "" : `, lease ${leaseText(lease)}`;
  const born = version === 1 ? "" : `, created at ${createRevision}`;
  const head = `${keyText(key)}  (revision ${modRevision}, version ${version}${born}${hangs}, ${value.length} bytes)`;
  const text = valueText(value);
  return text === "" ? `${head}\n` : `${head}\n${text}\n`;
}
