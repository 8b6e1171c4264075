import type { Version } from "../../keyspace/version.ts";
import { boolField, bytesField, intField } from "../../keyspace/wire.ts";

/** Which changes a watcher wants to hear of, and how. */
export interface WatchFilter {
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
}

export function passes(version: Version, filter: WatchFilter): boolean {
  return version.isTombstone ? !filter.noDelete : !filter.noPut;
}

/** A change as an `events` field of a WatchResponse: an mvccpb.Event. */
export function eventField(version: Version, prevKv: boolean, compactRevision: number): string {
  const before = prevKv ? stateBefore(version, compactRevision) : undefined;
  return bytesField(
    "\x5a",
    boolField("\x08", version.isTombstone) +
      bytesField("\x12", version.encoded) +
      (before === undefined ? "" : bytesField("\x1a", before.encoded)),
  );
}

/** The key at the revision before, if that can still be read. */
export function stateBefore(version: Version, compactRevision: number): Version | undefined {
  const isCreation = !version.isTombstone && version.create === version.main;
  if (isCreation || version.main - 1 < compactRevision) return undefined;
  let before = version.previous;
  while (before !== undefined && before.main === version.main) before = before.previous;
  return before?.isTombstone === false ? before : undefined;
}

export interface WatchResponse {
  /** An encoded header field. */
  readonly header: string;
  readonly watchId: number;
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly compactRevision?: number;
  readonly cancelReason?: string;
  readonly fragment?: boolean;
  /** Encoded `events` fields. */
  readonly events?: string;
}

/** An etcdserverpb.WatchResponse. */
export function encodeWatchResponse(response: WatchResponse): string {
  const { header, watchId, created, canceled, compactRevision, cancelReason, fragment, events } = response;
  return (
    header +
    intField("\x10", watchId) +
    boolField("\x18", created ?? false) +
    boolField("\x20", canceled ?? false) +
    intField("\x28", compactRevision ?? 0) +
    (cancelReason === undefined ? "" : bytesField("\x32", cancelReason)) +
    boolField("\x38", fragment ?? false) +
    (events ?? "")
  );
}
