import { Option } from "commander";
import type { StoredKey } from "../../../model/stored-key.ts";
import { parseDuration } from "../../duration.ts";
import type { Invocation, Register } from "../../invocation.ts";
import { openKeys, spanOf, withKeyOptions } from "./key-options.ts";
import type { KeyOptions } from "./key-options.ts";
import { keyDocument, keyText, valueText } from "./value-text.ts";
import { wholeNumber } from "./whole-number.ts";

interface Options extends KeyOptions {
  readonly prefix?: boolean;
  readonly revision?: string;
  readonly count?: string;
  readonly timeout?: string;
}

export const registerWatch: Register = (group, act) => {
  const watch = group
    .command("watch")
    .argument("<key>", "the key")
    .addOption(new Option("--prefix", "all keys that begin with it"))
    .addOption(new Option("--revision <number>", "begin with the changes of this revision"))
    .addOption(new Option("--count <number>", "end after this many changes"))
    .addOption(new Option("--timeout <span>", "end after this time"))
    .description("Show changes as they happen, until Ctrl-C.");
  act<Options>(withKeyOptions(watch), async (keel, [word = ""], options) => {
    const span = spanOf(word, options);
    const from = wholeNumber(options.revision, "--revision", { least: 1 });
    const count = wholeNumber(options.count, "--count", { least: 1 }) ?? Infinity;
    const spanMs = options.timeout === undefined ? undefined : parseDuration(options.timeout, "--timeout");
    const ending = new AbortController();
    const timer = spanMs === undefined ? undefined : setTimeout(() => ending.abort(), spanMs);
    const signal = AbortSignal.any([ending.signal, keel.signal]);
    await using opened = await openKeys(keel, options);
    let shown = 0;
    try {
      const changes = opened.keys.watch(span, { signal, ...(from === undefined ? {} : { from }) });
      for await (const batch of changes) {
        for (const change of batch.slice(0, count - shown)) show(keel, change);
        shown += batch.length;
        if (shown >= count) return;
      }
    } catch (error) {
      // Its time is over: that is how it ends.
      if (!ending.signal.aborted || keel.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
      ending.abort();
    }
  });
};

function show(keel: Invocation, change: StoredKey): void {
  const { key, value, modRevision, version } = change;
  const isDeletion = version === 0;
  const type = isDeletion ? "delete" : "put";
  keel.output.event(type, keyDocument(change), () => {
    const head = `${isDeletion ? "-" : version === 1 ? "+" : "~"} ${keyText(key)}  (revision ${modRevision})\n`;
    const text = isDeletion ? "" : valueText(value);
    return text === "" ? head : `${head}${text}\n`;
  });
}
