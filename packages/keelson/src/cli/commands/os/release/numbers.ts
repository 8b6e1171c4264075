import { KeelError } from "../../../../base/errors.ts";

/** Undefined for an option that was not given. Throws KEEL-104. */
export function wholeNumber(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new KeelError("KEEL-104", `${option} ${text}: no whole number`);
  return Number(text);
}

/** `--days` in seconds. Throws KEEL-104. */
export function dayCount(text: string | undefined, otherwise: number): number {
  const days = wholeNumber(text, "--days") ?? otherwise;
  if (days < 1 || days > 10_000) throw new KeelError("KEEL-104", `--days ${days}: 1 to 10000`);
  return days * 86_400;
}
