// The stock system that the image is compared with, in os/stock.json: its figures as they were measured, when and how.
// They are recorded, since a machine cannot measure another one.
import * as z from "zod/mini";

export const stockFigures = [
  "downloadBytes",
  "rootBytes",
  "kernelBytes",
  "packages",
  "kernelModules",
  "setuidFiles",
  "bootUnits",
  "processes",
  "memoryUsedBytes",
  "memoryAvailableBytes",
  "listeningPorts",
  "bootKernelSeconds",
  "bootUserSeconds",
] as const;
export type StockFigure = (typeof stockFigures)[number];

const words = z.string().check(z.minLength(10), z.maxLength(500));

const shape = z.strictObject({
  what: words,
  how: words,
  /** The day of the measurement. */
  date: z.string().check(z.regex(/^\d{4}-\d{2}-\d{2}$/)),
  /** Those that were taken. */
  figures: z.partialRecord(z.enum(stockFigures), z.number().check(z.gte(0))),
});

export type Stock = z.infer<typeof shape>;

/** Throws when a figure is unknown or negative. */
export function parseStock(text: string): Stock {
  return z.parse(shape, JSON.parse(text));
}
