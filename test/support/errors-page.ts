// Writes docs/errors.md from the catalogue. Run it after changing the catalogue.
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { errorCatalogue } from "../../packages/keelson/src/base/error-catalogue.ts";
import type { ErrorEntry } from "../../packages/keelson/src/base/error-catalogue.ts";
import { exitCode } from "../../packages/keelson/src/base/errors.ts";

const families: readonly [string, string][] = [
  ["1", "What was given"],
  ["2", "Refused by a guard"],
  ["3", "Local machines"],
  ["4", "The store"],
  ["5", "Units, machines, operations"],
  ["6", "Reaching the daemon"],
  ["7", "Stores, keys and backups"],
  ["8", "The operating system"],
  ["9", "Inside"],
];

export function renderErrorsPage(catalogue: Readonly<Record<string, ErrorEntry>>): string {
  let page = "# Errors\n\nEvery code, what it means and what to do. `keel explain CODE` prints the same.\n";
  for (const [digit, title] of families) {
    page += `\n## ${title}\n`;
    for (const [code, entry] of Object.entries(catalogue)) {
      if (!code.startsWith(`KEEL-${digit}`)) continue;
      page += `\n### ${code}: ${entry.title}\n${entry.meaning}\n\n**What to do.** ${entry.remedy}\n\nExit code ${exitCode[entry.exit]}.\n`;
    }
  }
  return page;
}

if (import.meta.main)
  writeFileSync(
    join(resolve(import.meta.dirname, "../.."), "docs/errors.md"),
    renderErrorsPage(errorCatalogue),
  );
