// The way of a unit from one version of its file to another, and the versions that it had.
import * as z from "zod/mini";
import { recordCodec } from "./record.ts";
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
    /** Instances (`web@2.container`), or `instance@machine` for global units, that are to have `to`; all others have `from`. */
    updated: z.array(z.string()),
    /** Unix milliseconds at which the last batch began. */
    batchSince: z.number(),
    /** Why it is as it is, in words: "web@2.container failed on m1: exit status 1". */
    reason: z.string(),
    /** Unix milliseconds. */
    started: z.number(),
    changed: z.number(),
  }),
);
export type Rollout = ReturnType<typeof rolloutCodec.decode>;

/** Most versions that are remembered of a unit. */
export const maxVersions = 30;

/** `versions/<unit>`: the files that the unit had, the newest last. Their bodies are kept. */
export const versionsCodec = recordCodec(
  "versions",
  z.object({
    unit: z.string(),
    versions: z
      .array(z.object({ number: z.int(), hash, operation: z.string(), who: z.string(), at: z.number() }))
      .check(z.maxLength(maxVersions)),
  }),
);
export type UnitVersions = ReturnType<typeof versionsCodec.decode>;
