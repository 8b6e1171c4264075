import { SystemdError } from "../error.ts";
import { type QuantityUnit, sumQuantities } from "./quantity.ts";

const SUFFIXES = ["B", "K", "M", "G", "T", "P", "E"];

/**
 * A size in bytes, such as `512M` or `1.5G`; suffixes K M G T P E count in powers of `base`, 1024 unless it is
 * said otherwise (network rates use 1000). `infinity` is `Infinity`.
 * @throws SystemdError `invalid-value`, also from 2^53 bytes on.
 */
export function parseSize(text: string, base: 1000 | 1024 = 1024): number {
  if (text.trim() === "infinity") return Infinity;
  const units = SUFFIXES.map((name, power): QuantityUnit => [name, base ** power]);
  try {
    return sumQuantities(text, [...units, ["", 1]]);
  } catch (cause) {
    if (!(cause instanceof SystemdError)) throw cause;
    const reason = `${JSON.stringify(text)} is no size (${cause.reason}); write it like "512M"`;
    throw new SystemdError("invalid-value", reason, { cause, offset: cause.offset });
  }
}
