// Who a data directory is: the ids that a store keeps for ever, and the format of its files. A log that lies in a
// directory of its own carries the ids too, so that it is never taken for another store's.

import { join } from "node:path";
import { EtcdError } from "../errors.ts";
import type { Disk } from "./disk.ts";
import { replaceFile, writeFully } from "./disk.ts";
import { damaged, errnoOf, ioError, otherFormat } from "./failure.ts";
import { listSegments } from "./recovery.ts";
import { listSnapshots } from "./snapshot.ts";

const FORMAT = 1;
const NAME = "format.json";

export interface Identity {
  readonly format: number;
  /** Hexadecimal, as is `member`. */
  readonly cluster: string;
  readonly member: string;
  /** The log lies in a directory of its own. */
  readonly logApart?: boolean;
}

/** Where a store lies. */
export interface Place {
  readonly path: string;
  readonly logPath: string;
  readonly disk: Disk;
}

/** Reads a directory's identity; undefined if it holds no store. Throws STORE_DAMAGED or STORE_IO. */
export async function readIdentity({ path, logPath, disk }: Place): Promise<Identity | undefined> {
  const identity = await readFormat(path, disk);
  const isApart = logPath !== join(path, "log");
  if (identity !== undefined && (identity.logApart ?? false) !== isApart) {
    const where = isApart
      ? "in it: start it without another directory for the log"
      : "in a directory of its own: name it (--wal-dir)";
    throw new EtcdError("STORE_IO", `the log of ${path} lies ${where}`);
  }
  const owner = isApart ? await readFormat(logPath, disk) : identity;
  const segments = await orNone(logPath, listSegments(logPath, { disk }));
  const snapshots = await orNone(path, listSnapshots(path, disk));
  if (identity === undefined) {
    if (segments.length > 0 || snapshots.length > 0) {
      throw damaged(join(path, NAME), 0, "it is missing, though the directory holds a store");
    }
    return undefined;
  }
  if (owner?.member !== identity.member)
    throw damaged(join(logPath, NAME), 0, `the log is not that of ${path}`);
  // The first segment is made with the store, and the last one is never removed.
  if (segments.length === 0 && snapshots.length > 0) throw damaged(logPath, 0, "the log is missing");
  return identity;
}

/** Makes a directory a store. Throws STORE_IO. */
export async function writeIdentity(
  { path, logPath, disk }: Place,
  ids: Omit<Identity, "format">,
): Promise<Identity> {
  const isApart = logPath !== join(path, "log");
  const identity: Identity = { format: FORMAT, ...ids, ...(isApart ? { logApart: true } : {}) };
  const bytes = Buffer.from(`${JSON.stringify(identity)}\n`);
  // The log's own first: without the other there is no store yet.
  for (const directory of isApart ? [logPath, path] : [path]) {
    const file = join(directory, NAME);
    await replaceFile(disk, file, (target) => writeFully(target, bytes, 0)).catch((cause: unknown) => {
      throw ioError(file, "write", cause);
    });
  }
  return identity;
}

async function readFormat(directory: string, disk: Disk): Promise<Identity | undefined> {
  const path = join(directory, NAME);
  const bytes = await disk.read(path).catch((cause: unknown) => {
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw ioError(path, "read", cause);
  });
  if (bytes === undefined) return undefined;
  const identity = parse(bytes.toString());
  if (identity === undefined) throw damaged(path, 0, "it is not what this store writes");
  if (identity.format !== FORMAT) throw otherFormat(directory, "format", [identity.format, FORMAT]);
  return identity;
}

/** What is in a directory; nothing if there is no directory. */
async function orNone<T>(path: string, listing: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await listing;
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return [];
    throw ioError(path, "read", cause);
  }
}

function parse(text: string): Identity | undefined {
  try {
    const { format, cluster, member, logApart = false } = JSON.parse(text) as Partial<Identity>;
    const isId = (id: unknown): id is string => typeof id === "string" && /^[0-9a-f]{1,16}$/.test(id);
    if (typeof format !== "number") return undefined;
    // A later format may keep its ids elsewhere; it is refused by its number.
    if (format !== FORMAT) return { format, cluster: "", member: "" };
    return isId(cluster) && isId(member)
      ? { format, cluster, member, logApart: logApart === true }
      : undefined;
  } catch {
    return undefined;
  }
}
