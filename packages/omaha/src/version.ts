// The order of versions. update_engine has none: it installs whatever it is offered, and compares versions only for
// being the same text, to notice a fallback. Servers need one. Numbers are compared one by one, missing ones are 0
// (the protocol's rule, for `1.2` and `1.2.0.0`); a pre-release comes before its release and what follows a plus
// does not count (semantic versioning 2.0.0, for `3340.0.0-beta.1` and `3340.0.0+nightly-20220823-2100`).

export interface Version {
  /** Without zeros at the end. */
  readonly numbers: readonly number[];
  /** What follows the first hyphen, split at dots; empty for a release. */
  readonly preRelease: readonly string[];
  /** What follows the plus. */
  readonly build: string;
}

const LONGEST = 128;
const form =
  /^(?<numbers>[0-9]{1,15}(?:\.[0-9]{1,15}){0,7})(?:-(?<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+(?<build>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/;

/** Reads a version: one to eight numbers, with a pre-release and a build. Undefined for anything else. */
export function parseVersion(text: string): Version | undefined {
  if (text.length > LONGEST) return undefined;
  const groups = form.exec(text)?.groups;
  if (!groups) return undefined;
  const numbers = (groups["numbers"] ?? "").split(".").map(Number);
  while (numbers.at(-1) === 0) numbers.pop();
  return { numbers, preRelease: groups["pre"]?.split(".") ?? [], build: groups["build"] ?? "" };
}

/** Below 0 when `a` is the older one, above 0 when it is the newer one, 0 when they are equal in order. */
export function compareVersions(a: Version, b: Version): number {
  const length = Math.max(a.numbers.length, b.numbers.length);
  for (let place = 0; place < length; place++) {
    const difference = (a.numbers[place] ?? 0) - (b.numbers[place] ?? 0);
    if (difference !== 0) return difference;
  }
  if (a.preRelease.length === 0 || b.preRelease.length === 0)
    return Number(a.preRelease.length === 0) - Number(b.preRelease.length === 0);
  return comparePreReleases(a.preRelease, b.preRelease);
}

/** Whether a version may be offered to a client that asked for `targetversionprefix`. No version matches a bad prefix. */
export function matchesVersionPrefix(version: Version, prefix: string): boolean {
  if (prefix === "") return true;
  if (prefix.endsWith("$")) {
    const wanted = parseVersion(prefix.slice(0, -1));
    return wanted !== undefined && compareVersions(version, wanted) === 0;
  }
  const wanted = /^([0-9]{1,15}(?:\.[0-9]{1,15}){0,7})\.?$/.exec(prefix);
  if (!wanted) return false;
  const numbers = (wanted[1] ?? "").split(".").map(Number);
  return numbers.every((number, place) => number === (version.numbers[place] ?? 0));
}

function comparePreReleases(a: readonly string[], b: readonly string[]): number {
  for (let place = 0; ; place++) {
    const [one, other] = [a[place], b[place]];
    if (one === undefined || other === undefined)
      return Number(one !== undefined) - Number(other !== undefined);
    const difference = compareIdentifiers(one, other);
    if (difference !== 0) return difference;
  }
}

/** Numbers by value and before words; words by their characters. */
function compareIdentifiers(a: string, b: string): number {
  const isNumber = (text: string): boolean => /^[0-9]+$/.test(text);
  if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
  if (isNumber(a)) {
    const [one, other] = [BigInt(a), BigInt(b)];
    return one < other ? -1 : one > other ? 1 : 0;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}
