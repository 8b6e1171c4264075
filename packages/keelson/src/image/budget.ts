// What the image may cost, in os/budget.json: each figure with its limit and the reason for it. A limit is changed
// together with its reason, so that growth is decided and not found out.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";

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

const entry = z.strictObject({
  limit: z.int().check(z.gte(0)),
  reason: z.string().check(z.minLength(20), z.maxLength(300)),
});
const shape = z.record(z.enum(budgetFigures), entry);

export type Budget = z.infer<typeof shape>;

/** The budget of a checkout. Throws when a figure is missing, unknown, or has no reason. */
export async function readBudget(repository: string): Promise<Budget> {
  return parseBudget(await readFile(join(repository, "os/budget.json"), "utf8"));
}

export function parseBudget(text: string): Budget {
  return z.parse(shape, JSON.parse(text));
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
