// What a restore will change: two stores side by side, in the order of their keys; differences out.
import { describeError, KeelError } from "../base/errors.ts";
import type { RestorePlan } from "../model/backup.ts";
import { imageCodec } from "../model/image.ts";
import { keys, nameIn, prefixes, root } from "../model/keys.ts";
import { operationCodec } from "../model/operation.ts";
import type { RecordCodec } from "../model/record.ts";
import { unitCodec, type Unit } from "../model/unit.ts";
import { isRestored } from "./carry-over.ts";
import type { StoredKey } from "./store-contents.ts";

/** Keys in their order. */
export type Contents = AsyncIterable<Pick<StoredKey, "key" | "value">>;

export interface RestoreDifferences extends Pick<RestorePlan, "keys" | "units"> {
  /** How many keys of each are compared. */
  readonly backupKeys: number;
  readonly storeKeys: number;
}

/** Throws KEEL-724 for a backup that is of no cluster, or that this version cannot read. */
export async function planRestore(now: Contents, backup: Contents): Promise<RestoreDifferences> {
  const present = new Map<string, Unit>();
  const restored = new RestoredRecords();
  const count = { added: 0, changed: 0, gone: 0, same: 0 };
  for await (const { before, after } of sideBySide(now, backup)) {
    if (after !== undefined) restored.take(after);
    if (before !== undefined) noteUnit(present, before);
    if (!isRestored((before ?? after)?.key ?? "")) continue;
    if (before === undefined) count.added++;
    else if (after === undefined) count.gone++;
    else if (Buffer.from(before.value).equals(after.value)) count.same++;
    else count.changed++;
  }
  const { same, ...differences } = count;
  return {
    keys: differences,
    units: unitDifferences(present, restored.check()),
    backupKeys: same + count.changed + count.added,
    storeKeys: same + count.changed + count.gone,
  };
}

type Entry = Pick<StoredKey, "key" | "value">;

async function* sideBySide(
  now: Contents,
  backup: Contents,
): AsyncGenerator<{ readonly before: Entry | undefined; readonly after: Entry | undefined }> {
  const [left, right] = [now[Symbol.asyncIterator](), backup[Symbol.asyncIterator]()];
  const next = async (from: AsyncIterator<Entry>): Promise<Entry | undefined> => {
    const { done, value } = await from.next();
    return done === true ? undefined : value;
  };
  let before = await next(left);
  let after = await next(right);
  while (before !== undefined || after !== undefined) {
    const takesLeft = before !== undefined && (after === undefined || before.key <= after.key);
    const takesRight = after !== undefined && (before === undefined || after.key <= before.key);
    yield { before: takesLeft ? before : undefined, after: takesRight ? after : undefined };
    if (takesLeft) before = await next(left);
    if (takesRight) after = await next(right);
  }
}

function unitDifferences(
  now: ReadonlyMap<string, Unit>,
  backup: ReadonlyMap<string, Unit>,
): RestorePlan["units"] {
  const names = (from: ReadonlyMap<string, Unit>, without: ReadonlyMap<string, Unit>): readonly string[] =>
    [...from.keys()].filter((name) => !without.has(name)).toSorted();
  const change = [...backup.values()].filter(({ name, hash, desired, replicas }) => {
    const old = now.get(name);
    return old && (old.hash !== hash || old.desired !== desired || old.replicas !== replicas);
  });
  return {
    appear: names(backup, now),
    vanish: names(now, backup),
    change: change.map(({ name }) => name).toSorted(),
  };
}

/** A unit of the present store. One that cannot be read counts as none. */
function noteUnit(units: Map<string, Unit>, { key, value }: Entry): void {
  if (nameIn(prefixes.units, key) === undefined) return;
  try {
    const unit = unitCodec.decode(key, value);
    units.set(unit.name, unit);
  } catch {
    // What the leader leaves out as well.
  }
}

const records: readonly (readonly [string, RecordCodec<unknown>])[] = [
  [prefixes.operations, operationCodec],
  [prefixes.images, imageCodec],
];

/** The records of a backup: all of them are read, since what runs on them must be able to. */
class RestoredRecords {
  readonly #units = new Map<string, Unit>();
  readonly #bodies = new Set<string>();
  #isOfCluster = false;

  take({ key, value }: Entry): void {
    if (!key.startsWith(root)) return;
    this.#isOfCluster = true;
    if (key.startsWith(prefixes.bodies)) return void this.#bodies.add(key);
    try {
      if (key.startsWith(prefixes.units)) {
        const unit = unitCodec.decode(key, value);
        this.#units.set(unit.name, unit);
      } else records.find(([prefix]) => key.startsWith(prefix))?.[1].decode(key, value);
    } catch (cause) {
      throw unreadable(describeError(cause), cause);
    }
  }

  check(): ReadonlyMap<string, Unit> {
    if (!this.#isOfCluster)
      throw new KeelError("KEEL-724", "the backup is of a store that no cluster of Keelson has used");
    for (const { name, hash } of this.#units.values())
      if (!this.#bodies.has(keys.body(hash))) throw unreadable(`the file of ${name} is missing`);
    return this.#units;
  }
}

function unreadable(what: string, cause?: unknown): KeelError {
  return new KeelError("KEEL-724", `the backup is damaged or of another version: ${what}`, {
    cause,
    hint: "restore it with the version that took it, or look at it with --data-dir",
  });
}
