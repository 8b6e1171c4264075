// A machine's figures beside what its image may cost and what a stock system costs: as a document, and as a table.
import type { Budget } from "../../../../image/budget.ts";
import { stockFigures } from "../../../../image/stock.ts";
import type { Stock, StockFigure } from "../../../../image/stock.ts";
import { formatBytes } from "../../../../local/progress.ts";
import { alignColumns } from "../../../table.ts";
import type { MachineFigures, Measured } from "./machine-figures.ts";

export interface Overhead {
  readonly system: { readonly version: string; readonly variant: string; readonly slot?: string };
  readonly figures: MachineFigures;
  /** Undefined where the image brings none. */
  readonly budget?: Budget;
  readonly stock?: Stock;
}

const titles: Readonly<Record<StockFigure, string>> = {
  downloadBytes: "download",
  rootBytes: "root file system",
  kernelBytes: "kernel and initrd",
  packages: "packages",
  kernelModules: "kernel modules",
  setuidFiles: "setuid files",
  bootUnits: "active units",
  processes: "processes",
  memoryUsedBytes: "memory used",
  memoryAvailableBytes: "memory available",
  listeningPorts: "listening ports",
  bootKernelSeconds: "boot: kernel",
  bootUserSeconds: "boot: user space",
};

/** Each figure with its limit, the stock system's, and what it consists of. */
export function overheadDocument({ system, figures, budget, stock }: Overhead): Record<string, unknown> {
  const entries = stockFigures.map((name) => {
    const limit = limitOf(budget, name);
    return [
      name,
      {
        ...figures[name],
        ...(limit === undefined ? {} : { limit }),
        ...(stock?.figures[name] === undefined ? {} : { stock: stock.figures[name] }),
      },
    ] as const;
  });
  const about = stock === undefined ? null : { what: stock.what, how: stock.how, date: stock.date };
  return { system, figures: Object.fromEntries(entries), stock: about };
}

export function overheadTable(overhead: Overhead): string {
  const { system, figures, budget, stock } = overhead;
  const rows = stockFigures.map((name) => {
    const measured = figures[name];
    const limit = limitOf(budget, name);
    const other = stock?.figures[name];
    return [
      titles[name],
      "value" in measured ? formatted(name, measured.value) : "-",
      limit === undefined ? "-" : formatted(name, limit),
      other === undefined ? "-" : formatted(name, other),
      verdict(measured, { limit, other }),
    ];
  });
  const slot = system.slot === undefined ? "" : `, slot ${system.slot}`;
  const notes = [
    `Keelson OS ${system.version} (${system.variant})${slot}. This command and its login are not counted.`,
    ...stockFigures.flatMap((name) => {
      const measured = figures[name];
      return "missing" in measured ? [`No figure for "${titles[name]}": ${measured.missing}.`] : [];
    }),
    ...portsNote(figures.listeningPorts),
    ...(stock === undefined
      ? ["The image brings no figures of a stock system."]
      : [
          `Stock: ${stock.what}, measured on ${stock.date}: ${stock.how}`,
          "Times compare only with those of the same computer.",
        ]),
  ];
  return `${alignColumns([["", "HERE", "BUDGET", "STOCK", ""], ...rows])}\n${notes.join("\n")}\n`;
}

function limitOf(budget: Budget | undefined, name: StockFigure): number | undefined {
  return budget !== undefined && name in budget ? budget[name as keyof Budget].limit : undefined;
}

/** Whether it is over its budget; or else its share of the stock system's. */
function verdict(
  measured: Measured,
  { limit, other }: { readonly limit: number | undefined; readonly other: number | undefined },
): string {
  if (!("value" in measured)) return "";
  if (limit !== undefined && measured.value > limit) return "over budget";
  if (other === undefined || other === 0) return "";
  return `${Math.round((100 * measured.value) / other)} % of stock`;
}

function portsNote(measured: Measured): readonly string[] {
  if (!("parts" in measured) || measured.parts === undefined || measured.parts.length === 0) return [];
  return [`Listening: ${measured.parts.join(", ")}.`];
}

function formatted(name: StockFigure, value: number): string {
  if (name.endsWith("Bytes")) return formatBytes(Math.round(value));
  return name.endsWith("Seconds") ? `${value.toFixed(2)} s` : String(value);
}
