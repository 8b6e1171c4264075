// `$private_ipv4`, `$public_ipv4` and their like in a configuration. Pure.
import type { Item } from "./items.ts";

export interface Addresses {
  readonly privateIpv4?: string | undefined;
  readonly publicIpv4?: string | undefined;
  readonly privateIpv6?: string | undefined;
  readonly publicIpv6?: string | undefined;
}

const placeholder = /\$(private|public)_ipv(4|6)\b/g;

/**
 * The item with addresses in place, or the placeholder that nobody can fill. Values of what is encoded, and the names
 * of things, are left as they are.
 */
export function substitute(item: Item, addresses: Addresses): Item | { readonly missing: string } {
  let missing: string | undefined;
  const fill = (text: string): string =>
    text.replaceAll(placeholder, (word, side: string, family: string) => {
      const value = addresses[`${side}Ipv${family}` as keyof Addresses];
      if (value === undefined) missing ??= word;
      return value ?? word;
    });
  const visit = (value: unknown): unknown => {
    if (typeof value === "string") return fill(value);
    if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(visit);
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, visit(inner)]));
  };
  let filled: Item;
  if (item.kind === "file") {
    const content = item.file.substitutes
      ? Buffer.from(fill(Buffer.from(item.file.content).toString()))
      : item.file.content;
    filled = { ...item, file: { ...item.file, content } };
  } else if (item.kind === "user" || item.kind === "group" || item.kind === "keys") filled = item;
  else filled = visit(item) as Item;
  return missing === undefined ? filled : { missing };
}
