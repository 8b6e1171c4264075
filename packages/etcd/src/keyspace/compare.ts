import { byteOrder, type Keyspace } from "./keyspace.ts";
import { COMPARE_RESULT, COMPARE_TARGET, keyRange, type Compare } from "./requests.ts";
import type { Version } from "./version.ts";

/** Whether all conditions hold now. */
export function allHold(keyspace: Keyspace, compares: readonly Compare[]): boolean {
  return compares.every((compare) => holds(keyspace, compare));
}

/** With a range, each of its keys must meet the condition; a range without keys is judged as one absent key. */
function holds(keyspace: Keyspace, compare: Compare): boolean {
  const range = keyRange(compare.key, compare.rangeEnd);
  const versions = keyspace.scan(range, 0, 0).versions;
  if (versions.length === 0) {
    // An absent key has no value, not an empty one: no comparison of values holds.
    return compare.target !== COMPARE_TARGET.value && meets(compare, undefined);
  }
  return versions.every((version) => meets(compare, version));
}

function meets(compare: Compare, version: Version | undefined): boolean {
  const order = compareWith(compare, version);
  switch (compare.result) {
    case COMPARE_RESULT.equal:
      return order === 0;
    case COMPARE_RESULT.greater:
      return order > 0;
    case COMPARE_RESULT.less:
      return order < 0;
    case COMPARE_RESULT.notEqual:
      return order !== 0;
    default:
      return true;
  }
}

function compareWith(compare: Compare, version: Version | undefined): number {
  const given = compare.operandOf === compare.target ? compare.operand : undefined;
  switch (compare.target) {
    case COMPARE_TARGET.version:
      return (version?.version ?? 0) - Number(given ?? 0);
    case COMPARE_TARGET.create:
      return (version?.create ?? 0) - Number(given ?? 0);
    case COMPARE_TARGET.mod:
      return (version?.main ?? 0) - Number(given ?? 0);
    case COMPARE_TARGET.value:
      return byteOrder(version?.value ?? "", typeof given === "string" ? given : "");
    case COMPARE_TARGET.lease: {
      const difference = (version?.lease ?? 0n) - BigInt(given ?? 0);
      return difference === 0n ? 0 : difference < 0n ? -1 : 1;
    }
    default:
      return 0;
  }
}
