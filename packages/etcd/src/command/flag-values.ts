// Values of flags, as Go's flag package and etcd read them, with their complaints.

/** A kind with bars lists its words. */
export type FlagKind =
  | "string"
  | "strings"
  | "bool"
  | "uint"
  | "uint32"
  | "int"
  | "duration"
  | "urls"
  | "ignored"
  | `${string}|${string}`;

/** Why a value is none of its kind, in etcd's words; undefined if it is one. */
export function complaint(kind: FlagKind, text: string): string | undefined {
  switch (kind) {
    case "string":
    case "strings":
    case "ignored":
      return undefined;
    case "bool":
      return parseBool(text) === undefined ? "parse error" : undefined;
    case "uint":
      return numberComplaint(text, [0n, 2n ** 64n - 1n]);
    case "uint32":
      return numberComplaint(text, [0n, 2n ** 32n - 1n]);
    case "int":
      return numberComplaint(text, [-(2n ** 63n), 2n ** 63n - 1n]);
    case "duration":
      return parseDuration(text) === undefined ? "parse error" : undefined;
    case "urls":
      return splitList(text).map(urlComplaint).find(Boolean);
    default:
      return kind.split("|").includes(text) ? undefined : "invalid value";
  }
}

/** As strconv.ParseBool reads it. */
export function parseBool(text: string): boolean | undefined {
  if (/^(?:1|[tT]|TRUE|true|True)$/.test(text)) return true;
  return /^(?:0|[fF]|FALSE|false|False)$/.test(text) ? false : undefined;
}

/** As strconv.ParseInt reads it with base 0. */
export function parseInteger(text: string): bigint | undefined {
  if (!/^[+-]?(?:0[xX][\da-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[1-9]\d*|0)$/.test(text)) return undefined;
  const sign = text.startsWith("-") ? -1n : 1n;
  const digits = text.replace(/^[+-]/, "");
  return sign * BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits}` : digits);
}

function numberComplaint(text: string, [least, greatest]: readonly [bigint, bigint]): string | undefined {
  const number = parseInteger(text);
  if (number === undefined || (least === 0n && /^[+-]/.test(text))) return "parse error";
  return number < least || number > greatest ? "value out of range" : undefined;
}

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "\u00B5s": 1e-3,
  "\u03BCs": 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of a duration as time.ParseDuration reads it: "1h30m", "1.5s", "0". */
export function parseDuration(text: string): number | undefined {
  const [, sign, rest] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === "0") return 0;
  if (rest === undefined || !/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00B5s|\u03BCs|ms|s|m|h))+$/.test(rest))
    return undefined;
  let total = 0;
  for (const [, number, unit] of rest.matchAll(/(\d+\.?\d*|\.\d+)([^\d.]+)/g)) {
    total += Number(number) * (UNITS[unit ?? ""] ?? 0);
  }
  return sign === "-" ? -total : total;
}

/** The parts of a list with commas; none of an empty text. */
export function splitList(text: string): readonly string[] {
  return text === "" ? [] : text.split(",").map((part) => part.trim());
}

/** A URL in etcd's words, or why it is none. */
export function urlComplaint(text: string): string | undefined {
  const [, scheme, address] = /^([a-z]+):\/\/(.*)$/.exec(text) ?? [];
  if (scheme === "unix" || scheme === "unixs") return undefined;
  if (scheme !== "http" && scheme !== "https")
    return `URL scheme must be http, https, unix, or unixs: ${text}`;
  const [host = "", ...path] = (address ?? "").split("/");
  if (!/^(?:\[[^\]]*\]|[^:[\]]*):\d*$/.test(host))
    return `URL address does not have the form "host:port": ${text}`;
  return path.length > 0 ? `URL must not contain a path: ${text}` : undefined;
}
