// Verifies a data directory as a whole: that every byte is as it was written, and that what it says can be
// carried out again.

import { Crc32c } from "../disk/crc32c.ts";
import { inspectDirectory, type Inspection } from "../disk/inspection.ts";
import { HistoryHasher } from "./backend/history-hash.ts";
import { fromRecord } from "./commands.ts";
import { StateRestore } from "./state-snapshot.ts";
import { StoreState } from "./state.ts";
import { replay } from "./store.ts";

/** What a store's directory holds, and what is wrong with it. */
export interface StoreCheck extends Inspection {
  /** What the state is, as far as the directory is intact. */
  readonly revision: number;
  readonly compactRevision: number;
  /** HashKV at that revision. */
  readonly hash: number;
  readonly keys: number;
  readonly leases: number;
}

/**
 * Reads a data directory as a start would, and changes nothing in it. Throws STORE_IN_USE while a server uses it,
 * and STORE_IO if there is no store or it cannot be read. Damage is no error: it is in the answer.
 */
export async function checkStore(options: {
  readonly dataDir: string;
  readonly walDir?: string | undefined;
}): Promise<StoreCheck> {
  const state = new StoreState();
  const restore = new StateRestore(state);
  const { dataDir: path, walDir: logPath } = options;
  const inspection = await inspectDirectory(
    { path, logPath },
    { snapshot: (chunk) => restore.take(chunk), record: (record) => replay(state, fromRecord(record)) },
  );
  const { revision, compactRevision, liveKeys, leases } = state.keyspace;
  const { hash } = await new HistoryHasher(state.keyspace, new Crc32c()).at(0);
  return { ...inspection, revision, compactRevision, hash, keys: liveKeys, leases: leases.size };
}
