// What a restore will change: two stores in, differences out. Pure.
import { KeelError } from "../base/errors.ts";
import { imageCodec } from "../model/image.ts";
import { keys, nameIn, prefixes, root } from "../model/keys.ts";
import { operationCodec } from "../model/operation.ts";
import type { RecordCodec } from "../model/record.ts";
import { unitCodec, type Unit } from "../model/unit.ts";
import type { RestorePlan } from "../model/backup.ts";
import { isRestored } from "./carry-over.ts";
import type { StoreContents } from "./store-contents.ts";

/** Throws KEEL-724 for a backup that is of no cluster, or that this version cannot read. */
export function planRestore(
  now: StoreContents,
  backup: StoreContents,
): Pick<RestorePlan, "keys" | "units"> & { readonly backupKeys: number; readonly storeKeys: number } {
  checkReadable(backup);
  const before = [...now.keys.keys()].filter(isRestored);
  const after = [...backup.keys.keys()].filter(isRestored);
  const inBoth = after.filter((key) => now.keys.has(key));
  const changed = inBoth.filter((key) => {
    const [old, restored] = [now.keys.get(key), backup.keys.get(key)];
    return old === undefined || restored === undefined || !Buffer.from(old.value).equals(restored.value);
  });
  const differences = {
    added: after.length - inBoth.length,
    changed: changed.length,
    gone: before.length - inBoth.length,
  };
  const units = unitDifferences(unitsOf(now), unitsOf(backup));
  return { keys: differences, units, backupKeys: after.length, storeKeys: before.length };
}

function unitDifferences(
  now: ReadonlyMap<string, Unit>,
  backup: ReadonlyMap<string, Unit>,
): RestorePlan["units"] {
  const names = (from: ReadonlyMap<string, Unit>, without: ReadonlyMap<string, Unit>): readonly string[] =>
    [...from.keys()].filter((name) => !without.has(name)).toSorted();
  const change = [...backup.values()].filter((restored) => {
    const { name, hash, desired, replicas } = restored;
    const old = now.get(name);
    return old && (old.hash !== hash || old.desired !== desired || old.replicas !== replicas);
  });
  return {
    appear: names(backup, now),
    vanish: names(now, backup),
    change: change.map(({ name }) => name).toSorted(),
  };
}

function unitsOf({ keys: stored }: StoreContents): ReadonlyMap<string, Unit> {
  const units = new Map<string, Unit>();
  for (const [key, { value }] of stored) {
    if (nameIn(prefixes.units, key) === undefined) continue;
    try {
      const unit = unitCodec.decode(key, value);
      units.set(unit.name, unit);
    } catch {
      // In the present store it counts as none; a backup with such a record was refused.
    }
  }
  return units;
}

const records: readonly (readonly [string, RecordCodec<unknown>])[] = [
  [prefixes.units, unitCodec],
  [prefixes.operations, operationCodec],
  [prefixes.images, imageCodec],
];

function checkReadable({ keys: stored }: StoreContents): void {
  if (![...stored.keys()].some((key) => key.startsWith(root)))
    throw new KeelError("KEEL-724", "the backup is of a store that no cluster of Keelson has used");
  for (const [key, { value }] of stored) {
    const codec = records.find(([prefix]) => key.startsWith(prefix))?.[1];
    try {
      const unit = codec?.decode(key, value);
      const hash = codec === unitCodec ? (unit as Unit).hash : undefined;
      if (hash !== undefined && !stored.has(keys.body(hash)))
        throw new Error(`${key}: its unit file is missing`);
    } catch (cause) {
      throw new KeelError(
        "KEEL-724",
        `the backup is damaged or of another version: ${(cause as Error).message}`,
        {
          cause,
          hint: "restore it with the version that took it, or look at it with --data-dir",
        },
      );
    }
  }
}
