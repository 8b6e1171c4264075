// The forms of the store that holds the cluster.
import * as z from "zod/mini";
import type { StoreStatusView, GrowthPlan, MoveLine } from "../../../api/wire/store.ts";
import type { RestorePlan } from "../../../model/backup.ts";
import { answer, strings, text } from "./form.ts";

const storeStatus = z.looseObject({
  kind: z.enum(["embedded", "etcd"]),
  epoch: z.number(),
  endpoints: strings,
  clusterId: text,
  revision: z.number(),
  size: z.number(),
  healthy: z.number(),
  members: z.array(
    z.looseObject({
      id: text,
      name: text,
      machine: text,
      machineName: text,
      endpoint: text,
      role: text,
      healthy: z.boolean(),
      reason: text,
      version: text,
      lag: z.nullable(z.number()),
      dbSizeBytes: z.number(),
      dbInUseBytes: z.number(),
      quotaBytes: z.number(),
      alarms: strings,
    }),
  ),
  words: strings,
});

const growth = z.looseObject({
  size: z.number(),
  machines: z.array(z.looseObject({ id: text, name: text, address: text, zone: text })),
  steps: strings,
  refusals: strings,
});

const contents = z.looseObject({ revision: z.number(), keys: z.number() });

const restore = z.looseObject({
  id: text,
  backup: contents,
  store: z.looseObject({ ...contents.shape, at: z.number() }),
  keys: z.looseObject({ added: z.number(), changed: z.number(), gone: z.number() }),
  units: z.looseObject({ appear: strings, vanish: strings, change: strings }),
  keptAs: text,
});

const moveLine = z.looseObject({
  ms: z.number(),
  words: text,
  done: z.boolean(),
  pauseMs: z.nullable(z.number()),
  error: z.nullable(z.looseObject({ code: text, message: text })),
});

export const storeStatusAnswer = answer<StoreStatusView>(storeStatus);

export const growthAnswer = answer<GrowthPlan>(growth);

export const restoreAnswer = answer<RestorePlan>(restore);

export const moveLineAnswer = answer<MoveLine>(moveLine);

export const forgottenAnswer = answer<{ forgotten: readonly string[] }>(
  z.looseObject({ forgotten: strings }),
);

export const newcomerAnswer = answer<{ credentials: unknown }>(z.looseObject({ credentials: z.unknown() }));
