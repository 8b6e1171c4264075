// Times and sizes as Compose writes them.
import { wrong } from "./fields.ts";

const unitsMs: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `1m30s` in milliseconds, at least one. @throws KeelError KEEL-108 */
export function milliseconds(text: string, path: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h)/g)];
  if (parts.map(([whole]) => whole).join("") !== text || parts.length === 0)
    return wrong(path, `: ${text} is no duration such as 1m30s`);
  const sum = parts.reduce(
    (total, [, number, unit = ""]) => total + Number(number) * (unitsMs[unit] ?? 0),
    0,
  );
  return Math.max(1, Math.round(sum));
}

export const seconds = (text: string, path: string): number => milliseconds(text, path) / 1000;

/** `512m`, `1gb` as systemd writes it: `512M`, `1G`. @throws KeelError KEEL-108 */
export function memoryText(text: string, path: string): string {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmg]?)b?$/i.exec(text);
  if (match?.[1] === undefined) return wrong(path, `: ${text} is no size such as 512m`);
  const unit = match[2]?.toUpperCase() ?? "";
  return `${match[1]}${unit === "B" ? "" : unit}`;
}
