// What the image may cost, in os/budget.json: each figure with its limit and the reason for it. A limit is changed
// together with its reason, so that growth is decided and not found out.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { variants } from "../model/os-image.ts";
import type { Variant } from "../model/os-image.ts";

export const budgetFigures = [
  "quickDownloadBytes",
  "rootBytes",
  "kernelBytes",
  "packages",
  "kernelModules",
  "setuidFiles",
  "bootUnits",
  "processes",
  "memoryUsedBytes",
  "listeningPorts",
] as const;
export type BudgetFigure = (typeof budgetFigures)[number];

const cost = {
  limit: z.int().check(z.gte(0)),
  reason: z.string().check(z.minLength(20), z.maxLength(300)),
};
const entry = z.strictObject(cost);
const shape = z.record(
  z.enum(budgetFigures),
  z.strictObject({ ...cost, variants: z.optional(z.partialRecord(z.enum(variants), entry)) }),
);

export type Budget = Readonly<Record<BudgetFigure, z.infer<typeof entry>>>;

/** A variant's budget, of a checkout. Throws when a figure is missing, unknown, or has no reason. */
export async function readBudget(repository: string, variant?: string): Promise<Budget> {
  return parseBudget(await readFile(join(repository, "os/budget.json"), "utf8"), variant);
}

/** A variant has the limits of `vm` where it has none of its own. */
export function parseBudget(text: string, variant: string = "vm"): Budget {
  const budget = z.parse(shape, JSON.parse(text));
  const of = (name: BudgetFigure): Budget[BudgetFigure] => {
    const { limit, reason, variants: own = {} } = budget[name];
    return own[variant as Variant] ?? { limit, reason };
  };
  return Object.fromEntries(budgetFigures.map((name) => [name, of(name)])) as Budget;
}

/** One sentence for each figure that is over its limit; those that were not measured are left out. */
export function overBudget(
  budget: Budget,
  figures: Partial<Readonly<Record<BudgetFigure, number>>>,
): string[] {
  return budgetFigures.flatMap((name) => {
    const measured = figures[name];
    const { limit } = budget[name];
    if (measured === undefined || measured <= limit) return [];
    return [`${name} is ${measured}, and os/budget.json allows ${limit}`];
  });
}
