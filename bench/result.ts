// One benchmark's figures, and how they are printed.

export interface BenchRow {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The figure to reach, in words: "at most 10 s". */
  readonly reach?: string;
  /** The same on a peer, measured in the same run or quoted with its source in `peerName`. */
  readonly peer?: number;
  readonly peerName?: string;
  /** value / peer. */
  readonly ratio?: number;
  readonly note?: string;
}

/** What a run can be told. */
export interface BenchOptions {
  /** Names of the rows that are measured; benchmarks whose rows cannot be had singly ignore it. */
  readonly only?: RegExp;
  /** How often it is measured; benchmarks that have a number of their own ignore it. */
  readonly rounds?: number;
  /** Units without requests and health checks. */
  readonly plain?: boolean;
}

export interface BenchResult {
  readonly name: string;
  /** One sentence: what was run, how often. */
  readonly how: string;
  readonly rows: readonly BenchRow[];
}

const figure = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);

const cells = (row: BenchRow): string[] => [
  row.what,
  `${figure(row.value)} ${row.unit}`,
  row.reach ?? "",
  row.peer === undefined
    ? ""
    : `${figure(row.peer)} ${row.unit}${row.peerName === undefined ? "" : ` (${row.peerName})`}`,
  row.ratio === undefined ? "" : figure(row.ratio),
  row.note ?? "",
];

const headings = ["what", "measured", "to reach", "peer", "ratio", "note"];

export function renderText(result: BenchResult): string {
  const table = [headings, ...result.rows.map(cells)];
  const widths = headings.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `${result.name}: ${result.how}\n${lines.join("\n")}\n`;
}

export function renderMarkdown(result: BenchResult, date: string, machine: string): string {
  const rows = result.rows.map((row) => `| ${cells(row).join(" | ")} |`);
  return `\n## ${result.name}, ${date}\n${result.how} (${machine})\n\n| ${headings.join(" | ")} |\n|${"---|".repeat(headings.length)}\n${rows.join("\n")}\n`;
}
