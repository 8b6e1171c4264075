// Writes the tables of docs/protocols/etcd.md from the tables of the code. Run it after changing a flag or a path.
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { FLAG_GROUPS, FLAGS, type Flag } from "../../src/command/flag-table.ts";
import { ROUTES } from "../../src/server/gateway/routes.ts";

export const pagePath = join(resolve(import.meta.dirname, "../../../.."), "docs/protocols/etcd.md");

/** The page with its tables as they are now. */
export function renderPage(page: string): string {
  return fill(fill(page, "paths", pathTable()), "flags", flagTable());
}

function fill(page: string, part: string, table: string): string {
  const [before, after] = [`<!-- ${part} -->\n`, `<!-- end of ${part} -->\n`];
  const [start, end] = [page.indexOf(before), page.indexOf(after)];
  if (start < 0 || end < start) throw new Error(`the page has no place for ${part}`);
  return `${page.slice(0, start)}${before}${table}${page.slice(end)}`;
}

function pathTable(): string {
  const rows = new Map<string, string[]>();
  for (const { path, service, method } of ROUTES) {
    const rpc = `${service}/${method.name}`;
    rows.set(rpc, [...(rows.get(rpc) ?? []), `\`${path}\``]);
  }
  const lines = [...rows].map(([rpc, paths]) => `| ${paths.join(", ")} | ${rpc} |`);
  return `| path below /v3/ | RPC |\n|---|---|\n${lines.join("\n")}\n`;
}

function flagTable(): string {
  const lines = FLAG_GROUPS.flatMap((group) => [
    `| **${group}** | | | |`,
    ...[...FLAGS.values()].filter((flag) => flag.group === group).map(row),
  ]);
  return `| flag | default | what it is | supported |\n|---|---|---|---|\n${lines.join("\n")}\n`;
}

function row({ name, fallback, help, support }: Flag): string {
  const value = fallback === "" ? "" : `\`${fallback}\``;
  const verdict = support === "used" ? "yes" : support === "peers" ? "none" : `no: ${support.refused}`;
  return `| \`--${name}\` | ${value} | ${help} | ${verdict} |`;
}

if (process.argv[1] === import.meta.filename)
  writeFileSync(pagePath, renderPage(readFileSync(pagePath, "utf8")));
