// The leader's orders to one machine, and the machine's answers.
import * as z from "zod/mini";
import { moment, recordCodec } from "./record.ts";
import { desiredStates, sha256Pattern } from "./unit.ts";

/** `schedule/<machine>/<unit>`: only the leader writes it, in a transaction fenced by its election key. */
export const scheduleCodec = recordCodec(
  "schedule",
  z.object({
    unit: z.string(),
    hash: z.string().check(z.regex(sha256Pattern)),
    /** Never `inactive`: such a unit has no entry. */
    desired: z.enum(desiredStates),
    restarts: z.int(),
    /** What to do when this machine loses the store for a lease: stop (the default for singletons) or keep. */
    onPartition: z.enum(["stop", "keep"]),
    /** A file that other files of this machine refer to (a network, a volume): written, not started by itself. */
    companion: z.boolean(),
    /** Create revision of the leader's election key when it wrote this. */
    fence: z.int(),
    /** Unix milliseconds of the decision, for the timeline. */
    placed: moment,
    /** Why it is here, in words: "fewest units (2)", "moved from m2: its lease ran out". */
    because: z.string(),
    /** Machine id: the instance is started here first and stops there when it is healthy here. */
    takesOver: z.optional(z.string()),
    /** Of a unit that runs to its end: the attempt to begin. A machine begins each only once. */
    run: z.optional(z.string()),
    /** Machines on which it failed too often, by id, until when it does not go back there: Unix milliseconds. */
    avoids: z.optional(z.record(z.string(), moment)),
    /**
     * The last attempt to start it on another machine first, which came to nothing: with which file, why in words, and
     * until when the same is not tried again, in Unix milliseconds.
     */
    failedHandover: z.optional(
      z.object({ to: z.string(), hash: z.string(), reason: z.string(), until: moment }),
    ),
  }),
);
export type ScheduleEntry = ReturnType<typeof scheduleCodec.decode>;

export const healthStates = ["starting", "healthy", "unhealthy", "stopped", "failed", "unknown"] as const;

/** `status/<machine>/<unit>`, under the machine's lease: systemd's own words, written on change. */
export const statusCodec = recordCodec(
  "status",
  z.object({
    unit: z.string(),
    hash: z.string(),
    load: z.string(),
    active: z.string(),
    sub: z.string(),
    /** systemd's invocation id: a new one for every start. Empty when it never ran. */
    invocation: z.string(),
    health: z.enum(healthStates),
    /** Unix milliseconds since when systemd reports this state. */
    since: moment,
    /** The restart counter that this state has carried out. */
    restarts: z.int(),
    /** Why it is not as desired, in words; empty when it is. */
    reason: z.string(),
    /** Where it can be reached: published ports, as `address:port` on the machine. */
    addresses: z.array(z.string()),
    /** Unix milliseconds of steps on the way: received, image, written, started, active, healthy. */
    steps: z.record(z.string(), moment),
    /**
     * Failures on this machine under the present order, left out for none: those within the unit's MoveWithin= before
     * the last one, without the time that the machine itself waited between tries. It forgets them when the unit has
     * been up for as long as that. Unix milliseconds.
     */
    failures: z.optional(
      z.object({
        count: z.int(),
        since: moment,
        last: moment,
        /** When the machine tries again by itself. */
        nextTry: z.optional(moment),
      }),
    ),
    /** The attempt of a run that this is about, as the order names it. */
    run: z.optional(z.string()),
    /** Of a unit that ran to its end: how. */
    ended: z.optional(
      z.object({
        at: moment,
        result: z.enum(["succeeded", "failed"]),
        status: z.optional(z.int()),
        /** The machine itself stopped it, since it lost the store: the unit has not failed. */
        givenUp: z.optional(z.boolean()),
      }),
    ),
  }),
);
export type UnitStatus = ReturnType<typeof statusCodec.decode>;
