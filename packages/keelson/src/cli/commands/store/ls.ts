import { Option } from "commander";
import { prefixSpan } from "../../../model/stored-key.ts";
import type { StoredKey } from "../../../model/stored-key.ts";
import type { Register } from "../../invocation.ts";
import { renderTable } from "../../table.ts";
import type { Column } from "../../table.ts";
import { firstKeys } from "./key-pages.ts";
import { keyOf, openKeys, withKeyOptions } from "./key-options.ts";
import type { KeyOptions } from "./key-options.ts";
import { keyText, leaseText } from "./value-text.ts";
import { wholeNumber } from "./whole-number.ts";

interface Options extends KeyOptions {
  readonly limit?: string;
  readonly after?: string;
  readonly legend?: boolean;
}

const defaultLimit = 500;

const columns: readonly Column<StoredKey>[] = [
  { name: "key", cell: ({ key }) => keyText(key) },
  { name: "revision", cell: ({ modRevision }) => String(modRevision) },
  { name: "version", cell: ({ version }) => String(version) },
  { name: "created", cell: ({ createRevision }) => String(createRevision) },
  { name: "lease", cell: ({ lease }) => leaseText(lease) },
];

export const registerLs: Register = (group, act) => {
  const ls = group
    .command("ls")
    .argument("[prefix]", "what the keys begin with; every key if left out")
    .addOption(new Option("--limit <number>", `at most this many keys (${defaultLimit})`))
    .addOption(new Option("--after <key>", "begin behind this key: where the page before ended"))
    .addOption(new Option("--no-legend", "leave the line of column names out"))
    .description("List keys, in their order, a page at a time.");
  act<Options>(withKeyOptions(ls), async (keel, [word = ""], options) => {
    const limit = wholeNumber(options.limit, "--limit", { least: 1 }) ?? defaultLimit;
    const all = prefixSpan(keyOf(word, options));
    const after = options.after === undefined ? undefined : keyOf(options.after, options);
    const start = after === undefined ? all.start : Buffer.concat([after, Buffer.alloc(1)]);
    const span = { ...all, start: Buffer.compare(start, all.start) > 0 ? start : all.start };
    await using opened = await openKeys(keel, options);
    const page = await firstKeys(opened.keys, span, { limit, keysOnly: true });
    const last = page.keys.at(-1);
    const left = page.count - page.keys.length;
    const isShort = left > 0 && last !== undefined;
    keel.output.list({
      name: "keys",
      type: "key",
      items: page.keys.map(({ key, createRevision, modRevision, version, lease }) => ({
        key: keyText(key),
        keyBase64: Buffer.from(key).toString("base64"),
        createRevision,
        modRevision,
        keyVersion: version,
        lease: leaseText(lease),
      })),
      more: { revision: page.revision, left },
      text: () => renderTable(columns, page.keys, options),
    });
    if (!isShort || keel.output.format !== "text") return;
    const isHex = options.hex === true;
    const next = isHex ? Buffer.from(last.key).toString("hex") : keyText(last.key);
    keel.terminal.err(`${left} more keys; the next page: --after '${next}'\n`);
  });
};
