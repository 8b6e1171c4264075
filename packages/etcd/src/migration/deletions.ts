import type { ReplayedChange } from "./history.ts";

/**
 * The same changes with neighbouring deletions as ranges, where a range takes exactly these keys, in their order.
 * `live` are the keys that exist before the transaction.
 */
export function withRanges(
  changes: readonly ReplayedChange[],
  live: Iterable<string>,
): readonly ReplayedChange[] {
  const named = changes.map(({ key }) => key).sort();
  const [first = "", last = ""] = [named[0], named.at(-1)];
  const present = [...live].filter((key) => key >= first && key <= last).sort();
  const places = new Map(present.map((key, place) => [key, place]));
  const written = new Set(changes.filter(({ kind }) => kind === "put").map(({ key }) => key));
  const merged: ReplayedChange[] = [];
  let open: { readonly key: string; last: string } | undefined;
  const close = (): void => {
    if (open === undefined) return;
    const rangeEnd = open.key === open.last ? "" : `${open.last}\0`;
    merged.push({ kind: "delete", key: open.key, rangeEnd });
    open = undefined;
  };
  for (const change of changes) {
    if (change.kind === "put") {
      close();
      merged.push(change);
      continue;
    }
    const follows = open !== undefined && places.get(change.key) === (places.get(open.last) ?? -2) + 1;
    // A key that comes to exist in the same transaction may not lie in a deleted range.
    const isFree = follows && ![...written].some((key) => key > (open?.last ?? "") && key < change.key);
    if (open !== undefined && isFree) open.last = change.key;
    else {
      close();
      open = { key: change.key, last: change.key };
    }
  }
  close();
  return merged;
}
