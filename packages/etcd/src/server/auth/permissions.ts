// Which keys a user may read and write: the ranges of all its roles, merged. Keys are latin1 strings.
// Follows server/auth/range_perm_cache.go: "" as the end of a range is the one key, "\0" no end.
import { Permission_Type, type Permission } from "../../proto/generated/authpb_pb.ts";

/** Keys from `begin` (inclusive) to `end` (exclusive; undefined: no bound). */
interface Interval {
  readonly begin: string;
  readonly end: string | undefined;
}

/** A set of keys: intervals that neither overlap nor touch, in order. */
export class KeySet {
  readonly #intervals: readonly Interval[];

  constructor(intervals: Iterable<Interval>) {
    this.#intervals = merged(intervals);
  }

  /** Are all keys of a range in the set? `rangeEnd` as in a request. */
  covers(key: string, rangeEnd: string): boolean {
    const interval = this.#at(key);
    if (interval === undefined) return false;
    // A range that ends before it begins is empty; etcd asks for its first key all the same.
    if (rangeEnd === "" || interval.end === undefined) return true;
    return rangeEnd !== "\0" && rangeEnd <= interval.end;
  }

  /** The interval that holds a key. */
  #at(key: string): Interval | undefined {
    let [low, high] = [0, this.#intervals.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#intervals[middle] as Interval).begin <= key) low = middle + 1;
      else high = middle;
    }
    const interval = this.#intervals[low - 1];
    return interval === undefined || (interval.end !== undefined && key >= interval.end)
      ? undefined
      : interval;
  }
}

/** What a user may do with keys. */
export interface Rights {
  readonly read: KeySet;
  readonly write: KeySet;
}

export function rightsOf(permissions: Iterable<Permission>): Rights {
  const read: Interval[] = [];
  const write: Interval[] = [];
  for (const { permType, key, rangeEnd } of permissions) {
    const interval = intervalOf(latin1(key), latin1(rangeEnd));
    if (interval === undefined) continue;
    if (permType === Permission_Type.READ || permType === Permission_Type.READWRITE) read.push(interval);
    if (permType === Permission_Type.WRITE || permType === Permission_Type.READWRITE) write.push(interval);
  }
  return { read: new KeySet(read), write: new KeySet(write) };
}

/** Undefined for a permission that permits nothing: no key is empty, and none lies in a range from end to start. */
function intervalOf(key: string, rangeEnd: string): Interval | undefined {
  if (key === "") return undefined;
  if (rangeEnd === "") return { begin: key, end: `${key}\0` };
  if (rangeEnd === "\0") return { begin: key, end: undefined };
  return key < rangeEnd ? { begin: key, end: rangeEnd } : undefined;
}

function merged(intervals: Iterable<Interval>): readonly Interval[] {
  const result: Interval[] = [];
  for (const interval of [...intervals].sort((a, b) => (a.begin < b.begin ? -1 : 1))) {
    const last = result.at(-1);
    if (last === undefined || (last.end !== undefined && last.end < interval.begin)) result.push(interval);
    else if (last.end !== undefined && (interval.end === undefined || interval.end > last.end)) {
      result[result.length - 1] = { begin: last.begin, end: interval.end };
    }
  }
  return result;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
