import { SystemdError } from "../error.ts";

/** A unit's spelling and what one of it is worth. The empty name stands for a number without a unit. */
export type QuantityUnit = readonly [name: string, worth: number];

const NUMBER = /[ \t\r\n]*(?:\+?(\d+)(?:\.(\d+))?|\.(\d+))[ \t\r\n]*/y;

/**
 * Adds up numbers with units, `1h 30.5min`. A unit is the first of `units` that the rest begins with. Fractions
 * are cut off below the smallest whole number.
 * @throws SystemdError `invalid-value` with the offset of what cannot be read, or when the sum is no safe integer.
 */
export function sumQuantities(text: string, units: readonly QuantityUnit[]): number {
  let sum = 0;
  let at = 0;
  do {
    NUMBER.lastIndex = at;
    const match = NUMBER.exec(text);
    if (match === null) return refuse("a number is missing", at);
    const begin = at;
    at += match[0].length;
    const unit = units.find(([name]) => text.startsWith(name, at));
    if (unit === undefined) return refuse("the unit is unknown", at);
    at += unit[0].length;
    const unseparated = unit[0] === "" && at < text.length && !/[ \t\r\n]$/.test(match[0]);
    if (unseparated) return refuse("the unit is unknown", at);
    sum += Number(match[1] ?? "0") * unit[1] + fraction(match[2] ?? match[3] ?? "", unit[1]);
    if (!Number.isSafeInteger(Math.floor(sum))) return refuse("it is too large", begin);
    while (at < text.length && /[ \t\r\n]/.test(text[at] ?? "")) at += 1;
  } while (at < text.length);
  return Math.floor(sum);
}

/** `.digits` of a whole number, cut off below one. Digits beyond the 20th cannot matter. */
function fraction(digits: string, worth: number): number {
  const counted = digits.slice(0, 20);
  if (counted === "") return 0;
  return Number((BigInt(worth) * BigInt(counted)) / 10n ** BigInt(counted.length));
}

function refuse(reason: string, offset: number): never {
  throw new SystemdError("invalid-value", reason, { offset });
}
