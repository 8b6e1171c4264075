// The way of the machines' operating system from one version to another: what a person asked for, what a machine is
// to do, what it says of itself.
import * as z from "zod/mini";
import { moment, recordCodec } from "./record.ts";

const machineId = z.string().check(z.regex(/^[0-9a-f]{32}$/));
const version = z.string().check(z.regex(/^\d{1,9}\.\d{1,9}\.\d{1,9}$/));
const words = z.string().check(z.maxLength(2000));

/** Where a release comes from: a folder on the machine, or the address of one. */
const source = z.string().check(z.minLength(1), z.maxLength(2000), z.regex(/^[^\p{Cc}\p{Zl}\p{Zp}]+$/u));

/** What an update is asked for with; a record keeps the same. */
export const updateTerms = {
  /** `previous`: back to what each machine has in its other slot. */
  to: z.union([version, z.literal("previous")]),
  source,
  /** Machines that restart at the same time. */
  atOnce: z.int().check(z.gte(1), z.lte(100)),
  /** Seconds that a machine's units have to move before they are stopped; never when left out. */
  drainSeconds: z.int().check(z.gte(1), z.lte(7 * 86_400)),
} as const;

export const updateStepNames = [
  /** Its turn has not come. */
  "waiting",
  /** Writes the release into its passive slot. */
  "staging",
  /** Has it, and waits for its turn to restart. */
  "staged",
  /** Its units move elsewhere. */
  "draining",
  /** Restarts, and proves itself. */
  "restarting",
  /** Has the version, and is in service again. */
  "done",
  /** Could not take it, or went back from it. */
  "failed",
] as const;
export type UpdateStepName = (typeof updateStepNames)[number];

const updateStep = z.object({
  name: z.enum(updateStepNames),
  /** Unix milliseconds. */
  since: moment,
  /** Why, in words. */
  reason: words,
  /** The boot that is to end; set with `restarting`. */
  bootId: z.optional(z.string()),
  /** Whether a person had cordoned it before: it stays so. */
  wasCordoned: z.optional(z.boolean()),
  /** A person wants it tried although it failed there before. */
  again: z.optional(z.boolean()),
});
export type UpdateStep = z.infer<typeof updateStep>;

/** `system/update`: the latest update of the machines' system, or return from one. */
export const systemUpdateCodec = recordCodec(
  "system update",
  z.object({
    id: z.string(),
    to: updateTerms.to,
    source: z.optional(source),
    atOnce: updateTerms.atOnce,
    drainSeconds: z.optional(updateTerms.drainSeconds),
    state: z.enum(["running", "paused", "halted", "done", "aborted"]),
    /** Why it is as it is, in words: "m2 went back from 1.2.0: keeld did not come up". */
    reason: words,
    /** By machine id, in the order of their turns. */
    machines: z.array(machineId).check(z.maxLength(2000)),
    steps: z.record(machineId, updateStep),
    started: moment,
    changed: moment,
  }),
);
/** An update that is not over. */
export const isOpenUpdate = (update: SystemUpdate | undefined): update is SystemUpdate =>
  update !== undefined && update.state !== "done" && update.state !== "aborted";

export type SystemUpdate = ReturnType<typeof systemUpdateCodec.decode>;

/** `system/orders/<machine>`. Gone when it is carried out or taken back. */
export const systemOrderCodec = recordCodec(
  "system order",
  z.object({
    machine: machineId,
    /** Of the update that it is part of. */
    update: z.string(),
    /** `cancel`: what was staged is not to start. */
    action: z.enum(["stage", "restart", "cancel"]),
    to: z.union([version, z.literal("previous")]),
    source: z.optional(source),
    /** A restart is carried out in this boot only. */
    bootId: z.string(),
    /** Although the version failed there before. */
    again: z.optional(z.boolean()),
  }),
);
export type SystemOrder = ReturnType<typeof systemOrderCodec.decode>;

/** An update or a way back, as a machine's own record has it. */
const pastEvent = z.object({
  at: moment,
  kind: z.string().check(z.maxLength(20)),
  version,
  /** What ran. */
  from: z.optional(version),
  how: z.optional(z.string().check(z.maxLength(20))),
  /** Fetched. */
  bytes: z.optional(z.number()),
  seconds: z.optional(z.number()),
  why: z.optional(words),
});

/** `system/reports/<machine>`: what a machine with two slots says of its system. Kept while it is away. */
export const systemReportCodec = recordCodec(
  "system report",
  z.object({
    machine: machineId,
    bootId: z.string(),
    version,
    variant: z.string().check(z.maxLength(40)),
    slot: z.enum(["a", "b"]),
    /** It holds the store, or a member of it. */
    keepsStore: z.boolean(),
    /** The boot has not proved itself yet. */
    onTrial: z.boolean(),
    /** What the next start will take, when that is another version. */
    next: z.optional(version),
    /** What is in the other slot and can be started. */
    other: z.optional(version),
    failed: z.array(z.object({ version, reason: words, at: moment })).check(z.maxLength(50)),
    /** The latest, the oldest of them first; left out by machines that run an older version. */
    history: z.optional(z.array(pastEvent).check(z.maxLength(50))),
    /** How far the order is. */
    order: z.optional(
      z.object({
        update: z.string(),
        action: z.enum(["stage", "restart", "cancel"]),
        state: z.enum(["running", "done", "failed"]),
        reason: words,
        /** Bytes, while it writes. */
        progress: z.optional(z.object({ done: z.int(), total: z.int() })),
      }),
    ),
  }),
);
export type SystemReport = ReturnType<typeof systemReportCodec.decode>;
