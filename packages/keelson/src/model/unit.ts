// What people ask for: units, their desired state, and the bodies they point to.
import * as z from "zod/mini";
import { moment, recordCodec } from "./record.ts";

/** fleet's three desired states: known, on a machine but not started, started. */
export const desiredStates = ["inactive", "loaded", "launched"] as const;
export type DesiredState = (typeof desiredStates)[number];

/** Largest unit file, in bytes. */
export const maxBodyBytes = 1 << 20;
/** Most replicas of one template. */
export const maxReplicas = 10_000;

export const sha256Pattern = /^[0-9a-f]{64}$/;

/** `units/<name>`. A template has `replicas`; its instances are derived from that, not stored. */
export const unitCodec = recordCodec(
  "unit",
  z.object({
    name: z.string(),
    desired: z.enum(desiredStates),
    /** SHA-256 of the body, in hexadecimal: `bodies/<hash>` holds the file, byte for byte. */
    hash: z.string().check(z.regex(sha256Pattern)),
    /** Of a template: how many instances NAME@1 … NAME@N are wanted. 0 unless scaled. */
    replicas: z.int().check(z.gte(0), z.lte(maxReplicas)),
    /** Counts explicit restarts: the agent restarts the unit when the number grew. */
    restarts: z.int(),
    /** Restarts of single replicas beside those of all, by instance. */
    replicaRestarts: z.optional(z.record(z.string(), z.int())),
    /** Counts changes of this record. */
    generation: z.int(),
    owner: z.string(),
    /** Unix milliseconds. */
    created: moment,
    changed: moment,
  }),
);
export type Unit = ReturnType<typeof unitCodec.decode>;
