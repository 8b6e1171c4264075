// Records beside units that operations and deciders change, by kind: where each lies and how it is read.
import * as z from "zod/mini";
import { jobCodec, timerCodec } from "./job.ts";
import { keys } from "./keys.ts";
import { clusterSettingsCodec, machineSettingsCodec } from "./machine-settings.ts";
import { moveCodec } from "./move.ts";
import type { RecordCodec } from "./record.ts";
import { rolloutCodec, versionsCodec } from "./rollout.ts";
import { systemOrderCodec, systemUpdateCodec } from "./system-update.ts";

export const recordKindNames = [
  "machine-settings",
  "cluster-settings",
  "move",
  "rollout",
  "versions",
  "job",
  "timer",
  "system-update",
  "system-order",
] as const;
export type RecordKind = (typeof recordKindNames)[number];

interface KindOfRecord {
  readonly key: (name: string) => string;
  readonly codec: RecordCodec<unknown>;
}

export const recordKinds: Readonly<Record<RecordKind, KindOfRecord>> = {
  "machine-settings": { key: keys.machineSettings, codec: machineSettingsCodec },
  "cluster-settings": { key: () => keys.clusterSettings, codec: clusterSettingsCodec },
  move: { key: keys.move, codec: moveCodec },
  rollout: { key: keys.rollout, codec: rolloutCodec },
  versions: { key: keys.versions, codec: versionsCodec },
  job: { key: keys.job, codec: jobCodec },
  timer: { key: keys.timer, codec: timerCodec },
  "system-update": { key: () => keys.systemUpdate, codec: systemUpdateCodec },
  "system-order": { key: keys.systemOrder, codec: systemOrderCodec },
};

/** One record before and after. Without `before` it is created, without `after` removed. */
export const recordChangeSchema = z.object({
  kind: z.enum(recordKindNames),
  /** The record's name behind its prefix; empty for `cluster-settings` and `system-update`. */
  name: z.string(),
  before: z.optional(z.unknown()),
  after: z.optional(z.unknown()),
});
export type RecordChange = z.infer<typeof recordChangeSchema>;

/** Whether two records say the same; the order of their fields says nothing. */
export function sameRecord(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const left = Object.entries(one).filter(([, value]) => value !== undefined);
  const right = new Map(Object.entries(other).filter(([, value]) => value !== undefined));
  return left.length === right.size && left.every(([key, value]) => sameRecord(value, right.get(key)));
}
