// Values of single options: numbers, times, sizes, amounts, words of a list. Each refuses with its place.
import {
  type Assignment,
  nearest,
  parseSize,
  parseTimespan,
  SystemdError,
  type UnitFile,
} from "@keelson/systemd";
import { booleanValue, refuse } from "./option.ts";
import type { Amount } from "./rules.ts";

export interface Option {
  readonly section: string;
  readonly key: string;
}

/** The one assignment of the key; refuses a second one. */
export function only(file: UnitFile, { section, key }: Option): Assignment | undefined {
  const [first, second] = file.assignments(section, key);
  if (second !== undefined) refuse(`${key}= is given twice`, { file, position: second.position });
  return first;
}

export function oneOf<T extends string>(file: UnitFile, option: Option, words: readonly T[]): T | undefined {
  const given = only(file, option);
  if (given === undefined) return undefined;
  const found = words.find((word) => word === given.value);
  if (found !== undefined) return found;
  return refuse(`${given.key}=${given.value} is neither ${words.join(" nor ")}`, {
    file,
    position: given.valuePosition,
    nearest: nearest(given.value, words),
  });
}

export interface Bounds {
  readonly least: number;
  readonly most: number;
}

export function wholeNumber(file: UnitFile, option: Option, { least, most }: Bounds): number | undefined {
  const given = only(file, option);
  if (given === undefined) return undefined;
  const number = /^-?\d{1,9}$/.test(given.value) ? Number(given.value) : Number.NaN;
  if (number >= least && number <= most) return number;
  return refuse(`${given.key}=${given.value} is no whole number from ${least} to ${most}`, {
    file,
    position: given.valuePosition,
  });
}

/** A time span of systemd.time(7) in milliseconds. A plain number is seconds. */
export function timeSpan(file: UnitFile, option: Option, { least, most }: Bounds): number | undefined {
  const given = only(file, option);
  if (given === undefined) return undefined;
  const ms = attempt(() => parseTimespan(given.value) / 1000);
  if (ms !== undefined && ms >= least && ms <= most) return ms;
  return refuse(`${given.key}=${given.value} is no time from ${least / 1000} s to ${most / 1000} s`, {
    file,
    position: given.valuePosition,
    hint: "Write it as systemd does: 10s, 2min, 1h 30min.",
  });
}

/** A size in bytes, with the suffixes K, M, G, T of 1024. */
export function sizeOf(file: UnitFile, option: Option): number | undefined {
  const given = only(file, option);
  if (given === undefined) return undefined;
  const bytes = attempt(() => parseSize(given.value));
  if (bytes !== undefined && bytes <= Number.MAX_SAFE_INTEGER) return bytes;
  const hint = "Write a number of bytes, or 512M, 2G.";
  return refuse(`${given.key}=${given.value} is no size`, { file, position: given.valuePosition, hint });
}

/** `3` or `25%`. */
export function amount(file: UnitFile, option: Option): Amount | undefined {
  const given = only(file, option);
  if (given === undefined) return undefined;
  const match = /^(\d{1,5})(%?)$/.exec(given.value);
  const number = Number(match?.[1]);
  if (match?.[2] === "" && number <= 10_000) return { count: number };
  if (match?.[2] === "%" && number <= 100) return { percent: number };
  return refuse(`${given.key}=${given.value} is neither a number nor a percentage`, {
    file,
    position: given.valuePosition,
  });
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SystemdError) return undefined;
    throw error;
  }
}

export function booleanOf(file: UnitFile, option: Option): boolean | undefined {
  const given = only(file, option);
  return given === undefined ? undefined : booleanValue(file, given);
}
