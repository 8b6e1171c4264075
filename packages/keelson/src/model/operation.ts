// Every change is an operation: what was asked, what it meant, what it changed, how to take it back.
import * as z from "zod/mini";
import { plannedMoveSchema } from "./forecast.ts";
import { moment, recordCodec } from "./record.ts";
import { recordChangeSchema } from "./record-kinds.ts";
import { updateTerms } from "./system-update.ts";
import { desiredStates, maxReplicas, sha256Pattern } from "./unit.ts";

/** How long operations, and the bodies that only they hold on to, are kept. */
export const undoMs = 72 * 3600 * 1000;

const selector = z.union([
  z.strictObject({ all: z.literal(true) }),
  /** Exact names, names without suffix, templates, or glob patterns (`web@*`). */
  z.strictObject({ names: z.array(z.string()).check(z.maxLength(10_000)) }),
]);
export type Selector = z.infer<typeof selector>;

const file = z.strictObject({
  name: z.string().check(z.maxLength(255)),
  /** The unit file in base64, so that every byte survives. */
  body: z.string().check(z.maxLength(1_500_000)),
});

/** What a person or a program asks for. */
export const intentSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("submit"),
    files: z.array(file).check(z.minLength(1), z.maxLength(2000)),
    desired: z.enum(desiredStates),
    /** Put new content in the place of different content. */
    replace: z._default(z.boolean(), false),
    /** What is desired becomes what is asked for even when that is less than before. */
    exactly: z.optional(z.boolean()),
    replicas: z.optional(z.int().check(z.gte(0), z.lte(maxReplicas))),
  }),
  z.strictObject({ kind: z.literal("set-desired"), units: selector, desired: z.enum(desiredStates) }),
  z.strictObject({ kind: z.literal("restart"), units: selector }),
  z.strictObject({
    kind: z.literal("scale"),
    unit: z.string(),
    replicas: z.int().check(z.gte(0), z.lte(maxReplicas)),
  }),
  z.strictObject({ kind: z.literal("destroy"), units: selector }),
  z.strictObject({ kind: z.literal("undo"), operation: z.optional(z.string()) }),
  z.strictObject({ kind: z.literal("purge") }),
  z.strictObject({ kind: z.literal("remove-machine"), machine: z.string() }),
  z.strictObject({ kind: z.literal("cordon"), machine: z.string(), cordoned: z.boolean() }),
  z.strictObject({
    kind: z.literal("drain"),
    machine: z.string(),
    /** Seconds after which what is still there is stopped anyway. */
    deadlineSeconds: z.optional(z.int().check(z.gte(1), z.lte(7 * 86_400))),
    reason: z._default(z.string().check(z.maxLength(500)), ""),
  }),
  z.strictObject({
    kind: z.literal("rebalance"),
    /** Most instances that it moves. */
    most: z._default(z.int().check(z.gte(1), z.lte(50)), 10),
  }),
  z.strictObject({
    kind: z.literal("set-metadata"),
    machine: z.string(),
    /** The empty value takes a key away. */
    metadata: z.record(z.string().check(z.maxLength(256)), z.string().check(z.maxLength(1024))),
  }),
  z.strictObject({
    kind: z.literal("rollback"),
    unit: z.string().check(z.maxLength(255)),
    /** The number of a version; the one before when left out. */
    to: z.optional(z.int().check(z.gte(1))),
  }),
  z.strictObject({
    kind: z.literal("rollout"),
    unit: z.string().check(z.maxLength(255)),
    action: z.enum(["pause", "resume", "abort"]),
  }),
  z.strictObject({
    kind: z.literal("update-system"),
    to: updateTerms.to,
    /** Where the machines find the release; they have what `previous` needs. */
    source: z.optional(updateTerms.source),
    /** By name or identity. `all`: those that can be updated. */
    machines: selector,
    atOnce: z._default(updateTerms.atOnce, 1),
    drainSeconds: z.optional(updateTerms.drainSeconds),
    /** Also where the version failed before. */
    again: z._default(z.boolean(), false),
  }),
  z.strictObject({ kind: z.literal("system-update"), action: z.enum(["pause", "resume", "abort"]) }),
  z.strictObject({
    kind: z.literal("configure"),
    autoRebalance: z.optional(z.boolean()),
    overcommit: z.optional(
      z.strictObject({
        memory: z.optional(z.number().check(z.gte(1), z.lte(100))),
        cpu: z.optional(z.number().check(z.gte(1), z.lte(100))),
      }),
    ),
  }),
]);
export type Intent = z.infer<typeof intentSchema>;

/** What the asker has confirmed, for changes that a guard would refuse otherwise. */
export const confirmationSchema = z.strictObject({
  /** The largest share of units, in percent, that the change may stop or remove. */
  maxImpact: z.optional(z.number().check(z.gte(0), z.lte(100))),
  /** Units that fit on no other machine may stay on one that is being drained. */
  stranded: z.optional(z.boolean()),
  /** The cluster's name, typed. */
  scope: z.optional(z.string()),
});
export type Confirmation = z.infer<typeof confirmationSchema>;

export const requestSchema = z.strictObject({
  intent: intentSchema,
  confirm: z._default(confirmationSchema, {}),
  /** Who asks, as far as is known, and through what: cli, api, dashboard. */
  who: z._default(z.string().check(z.maxLength(200)), "unknown"),
  via: z._default(z.string().check(z.maxLength(40)), "api"),
});
export type OperationRequest = z.infer<typeof requestSchema>;

const unitSchema = z.object({
  name: z.string(),
  desired: z.enum(desiredStates),
  hash: z.string().check(z.regex(sha256Pattern)),
  replicas: z.int(),
  restarts: z.int(),
  replicaRestarts: z.optional(z.record(z.string(), z.int())),
  generation: z.int(),
  owner: z.string(),
  created: moment,
  changed: moment,
});

/** One unit before and after. Without `before` it is created, without `after` destroyed. */
const change = z.object({ unit: z.string(), before: z.optional(unitSchema), after: z.optional(unitSchema) });
export type Change = z.infer<typeof change>;

const impact = z.object({
  /** Units that the change stops or removes, of all units that are there. */
  affected: z.int(),
  total: z.int(),
  percent: z.number(),
  /** Running instances that it stops. */
  instances: z.int(),
  reversible: z.enum(["exactly", "for 72 hours", "no"]),
});
export type Impact = z.infer<typeof impact>;

/** Of what the leader does by itself, in a cluster of so many units: it takes no unit away. */
export const leadersImpact = (total: number): Impact => ({
  affected: 0,
  total,
  percent: 0,
  instances: 0,
  reversible: "for 72 hours",
});

/** `operations/<id>`. */
export const operationCodec = recordCodec(
  "operation",
  z.object({
    id: z.string(),
    who: z.string(),
    via: z.string(),
    /** The intent without file bodies: kind and names, for people. */
    summary: z.string(),
    kind: z.string(),
    changes: z.array(change),
    /** Changes of other records, made in the same transaction as the first changes of units. */
    records: z.optional(z.array(recordChangeSchema)),
    /** Instances that it moves, as its plan foretold: what its progress follows. */
    moves: z.optional(z.array(plannedMoveSchema)),
    impact,
    /** Unix milliseconds. */
    at: moment,
    expires: z.number(),
    /** The operation that this one takes back. */
    undoOf: z.optional(z.string()),
    /** The operation that took this one back. */
    undoneBy: z.optional(z.string()),
    /** `applying` while its changes are being written: a daemon that finds it so carries it on. */
    state: z.enum(["applying", "applied"]),
  }),
);
export type Operation = ReturnType<typeof operationCodec.decode>;
