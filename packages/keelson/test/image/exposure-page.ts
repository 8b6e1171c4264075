// `node packages/keelson/test/image/exposure-page.ts`: writes the table of docs/security-of-the-image.md from
// os/exposure.json. Services with the same figure and reason share a row.
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseExposureLimits } from "../../src/image/exposure.ts";
import type { ExposureLimits } from "../../src/image/exposure.ts";

const repository = resolve(import.meta.dirname, "../../../..");
export const exposurePage = resolve(repository, "docs/security-of-the-image.md");
const head = "| services | at most | why |\n|---|---|---|\n";

export function readLimits(): ExposureLimits {
  return parseExposureLimits(readFileSync(resolve(repository, "os/exposure.json"), "utf8"));
}

/** The lowest figures first. */
export function exposureTable(limits: ExposureLimits): string {
  const rows = new Map<string, string[]>();
  const sorted = Object.entries(limits).toSorted(([, a], [, b]) => a.limit - b.limit);
  for (const [unit, { limit, reason }] of sorted) {
    const rest = `${limit} | ${reason}`;
    const name = unit.replace(/\.service$/, "").replace(/@x$/, "@");
    rows.set(rest, [...(rows.get(rest) ?? []), `\`${name}\``]);
  }
  return head + [...rows].map(([rest, names]) => `| ${names.join(", ")} | ${rest} |\n`).join("");
}

/** The page with its table replaced. Throws when it has none. */
export function withTable(page: string, table: string): string {
  const start = page.indexOf(head);
  const end = page.indexOf("\n\n", start);
  if (start < 0 || end < 0) throw new Error("the page has no table of services");
  return page.slice(0, start) + table + page.slice(end + 1);
}

if (import.meta.main)
  writeFileSync(exposurePage, withTable(readFileSync(exposurePage, "utf8"), exposureTable(readLimits())));
