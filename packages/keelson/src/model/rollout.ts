// The way of a unit from one version of its file to another, and the versions that it had.
import * as z from "zod/mini";
import { moment, recordCodec } from "./record.ts";
import { sha256Pattern } from "./unit.ts";

const hash = z.string().check(z.regex(sha256Pattern));

export const rolloutStates = [
  "running",
  "paused",
  /** Instances go back to the version before. */
  "reverting",
  "done",
  "reverted",
  /** Stopped by a person where it was: some instances have the one version, some the other. */
  "aborted",
] as const;

/** `rollouts/<unit>`: the latest one of the unit. */
export const rolloutCodec = recordCodec(
  "rollout",
  z.object({
    unit: z.string(),
    /** The operation that began it. */
    operation: z.string(),
    from: hash,
    to: hash,
    state: z.enum(rolloutStates),
    /** Whether `from` had reached all instances: only then is it gone back to without being asked. */
    returnable: z.boolean(),
    /** Instances (`web@2.container`), or `instance@machine` for global units, that are to have `to`. */
    updated: z.array(z.string()),
    /** Of those, the latest batch. */
    batch: z.array(z.string()),
    /** Instances that an earlier rollout, which did not come to its end, gave a third version; all others have `from`. */
    others: z.optional(z.record(z.string(), hash)),
    /** Instances that no machine took already when their batch began: nobody waits for them. */
    homeless: z.optional(z.array(z.string())),
    /** Unix milliseconds at which the last batch began. */
    batchSince: moment,
    /** Since when all of `updated` are healthy, Unix milliseconds, and a digest of the runs that are. */
    healthy: z.optional(z.object({ since: moment, runs: z.string() })),
    /** Why it is as it is, in words: "web@2.container failed on m1: exit status 1". */
    reason: z.string(),
    /** Unix milliseconds. */
    started: moment,
    changed: moment,
  }),
);
export type Rollout = ReturnType<typeof rolloutCodec.decode>;
export type RolloutState = Rollout["state"];

/** Most versions that are remembered of a unit. */
export const maxVersions = 30;

/** `versions/<unit>`: the files that the unit had, the newest last; written when a second one comes. Their bodies are kept. */
export const versionsCodec = recordCodec(
  "versions",
  z.object({
    unit: z.string(),
    versions: z
      .array(
        z.object({
          number: z.int(),
          hash,
          /** The operation that brought it; empty when that is forgotten. */
          operation: z.string(),
          who: z.string(),
          at: moment,
          /** Why the unit went back from it, in words. */
          failed: z.optional(z.string()),
        }),
      )
      .check(z.maxLength(maxVersions)),
  }),
);
export type UnitVersions = ReturnType<typeof versionsCodec.decode>;
export type UnitVersion = UnitVersions["versions"][number];
