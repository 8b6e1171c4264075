// How the store's keys travel as JSON: bytes as base64, leases as hex, like etcdctl prints them.
import * as z from "zod/mini";
import type { KeyHistory, KeyPage, StoredKey } from "./stored-key.ts";

const revision = z.int().check(z.gte(0));
const base64 = z.string().check(z.regex(/^[A-Za-z0-9+/]*={0,2}$/));

export const storedKeySchema = z.looseObject({
  key: base64,
  value: base64,
  createRevision: revision,
  modRevision: revision,
  version: revision,
  /** Hex; empty for none. */
  lease: z.string().check(z.regex(/^[0-9a-f]{0,16}$/)),
});
export type StoredKeyView = z.infer<typeof storedKeySchema>;

export const keyPageSchema = z.looseObject({
  revision,
  count: revision,
  more: z.boolean(),
  keys: z.array(storedKeySchema),
});
export type KeyPageView = z.infer<typeof keyPageSchema>;

export const keyHistorySchema = z.looseObject({
  revision,
  compactRevision: revision,
  isCut: z.boolean(),
  states: z.array(storedKeySchema),
});
export type KeyHistoryView = z.infer<typeof keyHistorySchema>;

/** One line of a watch: the changes of one or more whole revisions; none is a sign of life. */
export const keyEventsSchema = z.looseObject({ events: z.array(storedKeySchema) });
export type KeyEventsView = z.infer<typeof keyEventsSchema>;

const span = {
  key: base64,
  end: z.optional(base64),
  unchangedSince: z.optional(revision),
  force: z.optional(z.boolean()),
};
export const keyPutSchema = z.strictObject({ ...span, value: base64 });
export const keyRemovalSchema = z.strictObject(span);
export const keyChangedSchema = z.looseObject({ revision, removed: z.optional(revision) });

export function storedKeyView(stored: StoredKey): StoredKeyView {
  const { key, value, createRevision, modRevision, version, lease } = stored;
  return {
    key: Buffer.from(key).toString("base64"),
    value: Buffer.from(value).toString("base64"),
    createRevision,
    modRevision,
    version,
    lease: lease === 0n ? "" : BigInt.asUintN(64, lease).toString(16),
  };
}

export function storedKeyOf({ key, value, lease, ...revisions }: StoredKeyView): StoredKey {
  return {
    key: Buffer.from(key, "base64"),
    value: Buffer.from(value, "base64"),
    createRevision: revisions.createRevision,
    modRevision: revisions.modRevision,
    version: revisions.version,
    lease: lease === "" ? 0n : BigInt.asIntN(64, BigInt(`0x${lease}`)),
  };
}

export function keyPageView({ keys, ...page }: KeyPage): KeyPageView {
  return { ...page, keys: keys.map(storedKeyView) };
}

export function keyHistoryView({ states, ...history }: KeyHistory): KeyHistoryView {
  return { ...history, states: states.map(storedKeyView) };
}
