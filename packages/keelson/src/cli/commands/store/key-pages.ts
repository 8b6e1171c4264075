// As many keys as were asked for, however few of them the store gives in one answer.
import type { KeyPage, KeySpan, StoreKeys } from "../../../model/stored-key.ts";

/** The first `limit` keys of the span, all as of one revision. Throws what the store throws. */
export async function firstKeys(
  keys: StoreKeys,
  span: KeySpan,
  options: { readonly limit: number; readonly keysOnly?: boolean; readonly revision?: number },
): Promise<KeyPage> {
  const { limit } = options;
  const first = await keys.range(span, options);
  const found = [...first.keys];
  let { more } = first;
  while (more && found.length < limit) {
    const last = found.at(-1);
    if (last === undefined) break;
    const rest = { ...span, start: Buffer.concat([last.key, Buffer.alloc(1)]) };
    const next = { ...options, limit: limit - found.length, revision: first.revision };
    const page = await keys.range(rest, next);
    found.push(...page.keys);
    more = page.more && page.keys.length > 0;
  }
  return { ...first, keys: found, more };
}
