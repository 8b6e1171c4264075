import { byteOrder, type Keyspace } from "./keyspace.ts";
import { keyRange, SORT_ORDER, SORT_TARGET, type RangeRequest, type RangeResult } from "./requests.ts";
import type { Version } from "./version.ts";

/**
 * Answers a range request as etcd's apply does: fetch, filter, sort, cut. Throws FUTURE_REVISION or COMPACTED.
 * `count` is that of the whole range, before filters and limit.
 */
export function range(keyspace: Keyspace, request: RangeRequest): RangeResult {
  keyspace.counts.ranges++;
  const keys = keyRange(request.key, request.rangeEnd);
  const revision = keyspace.revisionInTxn;
  const { keysOnly } = request;
  if (request.countOnly) {
    const count = keyspace.count(keys, request.revision);
    return { kind: "range", revision, versions: [], more: false, count, keysOnly };
  }
  const limit = Math.max(0, request.limit);
  // One more than asked for tells whether there is more. A filter or an order needs all of them.
  const fetch = limit > 0 && !isFiltered(request) && request.sortOrder === SORT_ORDER.none ? limit + 1 : 0;
  const scan = keyspace.scan(keys, request.revision, fetch);
  let versions: readonly Version[] = scan.versions;
  if (isFiltered(request)) versions = versions.filter((version) => passes(version, request));
  versions = sorted(versions, request);
  const more = limit > 0 && versions.length > limit;
  if (more) versions = versions.slice(0, limit);
  return { kind: "range", revision, versions, more, count: scan.count, keysOnly };
}

function isFiltered(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

function passes(version: Version, request: RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return (
    (maxModRevision === 0 || version.main <= maxModRevision) &&
    (minModRevision === 0 || version.main >= minModRevision) &&
    (maxCreateRevision === 0 || version.create <= maxCreateRevision) &&
    (minCreateRevision === 0 || version.create >= minCreateRevision)
  );
}

function sorted(versions: readonly Version[], request: RangeRequest): readonly Version[] {
  const { sortOrder, sortTarget } = request;
  if (versions.length < 2) return versions;
  if (sortTarget === SORT_TARGET.key) {
    return sortOrder === SORT_ORDER.descend ? versions.toReversed() : versions;
  }
  const compare = comparisonBy(sortTarget);
  // Equal ones stay in key order in both directions.
  return versions.toSorted(sortOrder === SORT_ORDER.descend ? (a, b) => compare(b, a) : compare);
}

function comparisonBy(target: number): (a: Version, b: Version) => number {
  switch (target) {
    case SORT_TARGET.version:
      return (a, b) => a.version - b.version;
    case SORT_TARGET.create:
      return (a, b) => a.create - b.create;
    case SORT_TARGET.mod:
      return (a, b) => a.main - b.main;
    default:
      return (a, b) => byteOrder(a.value, b.value);
  }
}
