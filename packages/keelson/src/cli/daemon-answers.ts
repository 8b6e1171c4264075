// The form of every answer of the API, as far as `keel` relies on it. Fields that are not named here pass.
import * as z from "zod/mini";
import type { SurvivabilityView, WhatIfView } from "../api/wire/foretelling.ts";
import type { HealthView } from "../api/wire/health.ts";
import type { EventView, HistoryStart, TimelineView } from "../api/wire/history.ts";
import type { ImageView } from "../api/wire/image.ts";
import type { JobsView } from "../api/wire/job.ts";
import type { OperationSummary, OperationView, PlanView, ProgressView } from "../api/wire/operation.ts";
import type { WhyMachineView, WhyView } from "../api/wire/reasons.ts";
import type { RolloutView, VersionView } from "../api/wire/rollout.ts";
import type { SettingsView } from "../api/wire/settings.ts";
import type { SnapshotView } from "../api/wire/snapshot.ts";
import type { GrowthPlan, MoveLine, StoreStatusView } from "../api/wire/store.ts";
import type { SystemView } from "../api/wire/system-update.ts";
import type { TimersView } from "../api/wire/timer.ts";
import { rolloutStates } from "../model/rollout.ts";
import { updateStepNames } from "../model/system-update.ts";
import type { RestorePlan } from "../model/backup.ts";

/** Checks an answer. */
export interface Answer<T> {
  safeParse(json: unknown): { success: true; data: T } | { success: false; error: z.core.$ZodError };
}

const text = z.string();
const strings = z.array(text);
const words = z.record(text, text);
const desired = z.enum(["inactive", "loaded", "launched"]);

const amounts = z.looseObject({ memoryBytes: z.number(), cpus: z.number() });
const settings = z.looseObject({
  revision: z.number(),
  autoRebalance: z.boolean(),
  overcommit: z.looseObject({ memory: z.number(), cpu: z.number() }),
});

const machine = z.looseObject({
  id: text,
  name: text,
  address: text,
  apiPort: z.number(),
  state: z.enum(["up", "lost"]),
  leader: z.boolean(),
  since: z.number(),
  joined: z.number(),
  os: z.nullable(z.looseObject({ id: text, version: text, kernel: text })),
  keeldVersion: text,
  metadata: words,
  capacity: z.nullable(z.looseObject({ cpus: z.number(), memoryBytes: z.number(), unenforced: strings })),
  allocatable: z.nullable(amounts),
  room: z.nullable(amounts),
  requested: amounts,
  instances: z.number(),
  cordoned: z.optional(z.literal(true)),
  drain: z.optional(z.looseObject({ since: z.number(), deadline: z.optional(z.number()), reason: text })),
});

const instance = z.looseObject({
  key: text,
  name: text,
  unit: text,
  machine: z.nullable(text),
  machineName: z.nullable(text),
  desired,
  state: text,
  load: text,
  active: text,
  sub: text,
  health: text,
  hash: text,
  invocation: text,
  since: z.nullable(z.number()),
  restarts: z.number(),
  reason: text,
  because: text,
  addresses: strings,
  placed: z.nullable(z.number()),
  steps: z.record(text, z.number()),
  companion: z.boolean(),
  unenforced: z.optional(strings),
});

const unit = z.looseObject({
  name: text,
  desired,
  state: text,
  reason: text,
  hash: text,
  replicas: z.number(),
  wanted: z.number(),
  healthy: z.number(),
  restarts: z.number(),
  generation: z.number(),
  owner: text,
  created: z.number(),
  changed: z.number(),
});

const impact = z.looseObject({
  affected: z.number(),
  total: z.number(),
  percent: z.number(),
  instances: z.number(),
  reversible: text,
});

const operationSummary = z.looseObject({
  id: text,
  summary: text,
  kind: text,
  who: text,
  via: text,
  at: z.number(),
  expires: z.number(),
  state: text,
  impact,
  units: z.number(),
  records: z.optional(z.number()),
  undoOf: z.nullable(text),
  undoneBy: z.nullable(text),
});

const image = z.looseObject({
  name: text,
  archive: text,
  imageId: text,
  bytes: z.number(),
  holders: strings,
  loaded: z.number(),
});

const unitRecord = z.looseObject({
  name: text,
  desired,
  hash: text,
  replicas: z.number(),
  restarts: z.number(),
});
const change = z.looseObject({ unit: text, before: z.optional(unitRecord), after: z.optional(unitRecord) });

const forecast = z.looseObject({
  machines: words,
  moves: z.array(
    z.looseObject({
      instance: text,
      from: text,
      to: z.optional(text),
      because: text,
      isDown: z.boolean(),
    }),
  ),
  stranded: z.array(z.looseObject({ instance: text, from: text, reason: text })),
  isLastMachine: z.boolean(),
});

const plan = z.looseObject({
  kind: text,
  summary: text,
  changes: z.array(change),
  impact,
  unchanged: strings,
  notes: strings,
  records: z.optional(z.array(z.unknown())),
  forecast: z.optional(forecast),
});

const operation = z.looseObject({
  ...operationSummary.shape,
  changes: z.array(change),
  notes: z.optional(strings),
});

const rolloutState = z.enum(rolloutStates);

const progress = z.looseObject({
  done: z.boolean(),
  outcome: z.enum(["running", "succeeded", "partly", "failed"]),
  items: z.array(
    z.looseObject({
      instance: text,
      unit: text,
      machine: z.nullish(text),
      want: z.enum(["active", "restarted", "loaded", "gone", "moved", "updated"]),
      state: z.enum(["pending", "ready", "failed"]),
      reason: text,
      ms: z.number(),
    }),
  ),
  rollouts: z.array(
    z.looseObject({
      unit: text,
      state: rolloutState,
      from: z.number(),
      to: z.number(),
      updated: z.number(),
      total: z.number(),
      batch: z.number(),
      waitsFor: text,
      reason: text,
    }),
  ),
});

const version = z.looseObject({
  number: z.number(),
  hash: text,
  operation: z.nullable(text),
  who: text,
  at: z.number(),
  current: z.boolean(),
  rolling: z.boolean(),
  instances: z.number(),
  failed: z.nullable(text),
});

const rolloutEnd = z.looseObject({ number: z.number(), hash: text });
const rollout = z.looseObject({
  unit: text,
  operation: text,
  state: rolloutState,
  from: rolloutEnd,
  to: rolloutEnd,
  updated: z.number(),
  total: z.number(),
  batch: strings,
  waitsFor: text,
  reason: text,
  started: z.number(),
  changed: z.number(),
});

const time = z.nullable(z.number());

const run = z.looseObject({
  number: z.number(),
  cause: text,
  state: z.enum(["waiting", "running", "succeeded", "failed"]),
  attempt: z.number(),
  failures: z.number(),
  losses: z.number(),
  machine: z.nullable(text),
  machineName: z.nullable(text),
  hash: text,
  invocation: text,
  reason: text,
  status: z.nullable(z.number()),
  asked: z.number(),
  started: time,
  ended: time,
  notBefore: time,
});

const bytes = z.looseObject({ done: z.number(), total: z.number() });
const system = z.looseObject({
  revision: z.number(),
  update: z.nullable(
    z.looseObject({
      operation: text,
      to: text,
      source: z.nullable(text),
      atOnce: z.number(),
      drainSeconds: z.nullable(z.number()),
      state: z.enum(["running", "paused", "halted", "done", "aborted"]),
      reason: text,
      done: z.number(),
      failed: z.number(),
      total: z.number(),
      started: z.number(),
      changed: z.number(),
    }),
  ),
  machines: z.array(
    z.looseObject({
      machine: text,
      name: text,
      up: z.boolean(),
      system: z.nullable(
        z.looseObject({
          version: text,
          variant: text,
          slot: z.enum(["a", "b"]),
          onTrial: z.boolean(),
          next: z.nullable(text),
          other: z.nullable(text),
          keepsStore: z.boolean(),
          failed: z.array(z.looseObject({ version: text, reason: text, at: z.number() })),
        }),
      ),
      step: z.nullable(
        z.looseObject({
          name: z.enum(updateStepNames),
          since: z.number(),
          reason: text,
          turn: z.number(),
          progress: z.nullable(bytes),
        }),
      ),
    }),
  ),
});

const jobs = z.looseObject({
  revision: z.number(),
  jobs: z.array(
    z.looseObject({
      name: text,
      instance: text,
      unit: text,
      machine: z.nullable(text),
      machineName: z.nullable(text),
      runs: z.array(run),
    }),
  ),
});

const timers = z.looseObject({
  revision: z.number(),
  timers: z.array(
    z.looseObject({
      name: text,
      unit: text,
      target: text,
      desired,
      activated: time,
      last: time,
      outcome: text,
      next: time,
      due: time,
      reason: text,
    }),
  ),
});

const reasons = z.array(z.looseObject({ topic: text, text }));

const whyMachine = z.looseObject({
  revision: z.number(),
  id: text,
  name: text,
  reasons,
  has: z.array(z.looseObject({ instance: text, because: text, state: text, stays: text })),
  refuses: z.array(z.looseObject({ instance: text, reason: text })),
});

const why = z.looseObject({
  revision: z.number(),
  unit: text,
  leftOut: z.number(),
  instances: z.array(
    z.looseObject({
      name: text,
      on: strings,
      because: text,
      waitsFor: text,
      reasons,
      machines: z.array(
        z.looseObject({ id: text, name: text, current: z.boolean(), fits: z.boolean(), reasons: strings }),
      ),
    }),
  ),
});

const survivability = z.looseObject({
  answer: z.nullable(z.enum(["yes", "no"])),
  isCurrent: z.boolean(),
  revision: z.number(),
  at: z.nullable(z.number()),
  words: text,
  indispensable: z.array(
    z.looseObject({ machine: text, name: text, instance: text, reason: text, instances: z.number() }),
  ),
  isCut: z.boolean(),
  machines: z.number(),
  store: z.array(z.looseObject({ machine: text, name: text, reason: text })),
});

const timeline = z.looseObject({
  revision: z.number(),
  unit: text,
  instances: z.array(
    z.looseObject({
      name: text,
      machine: text,
      machineName: text,
      operation: z.nullable(z.looseObject({ id: text, who: text, at: z.number() })),
      steps: z.array(
        z.looseObject({
          kind: text,
          at: z.number(),
          afterMs: z.number(),
          tookMs: z.number(),
          text,
          why: text,
        }),
      ),
      totalMs: z.number(),
      isDone: z.boolean(),
      reason: text,
    }),
  ),
});

const historyLine = z.union([
  z.looseObject({
    revision: z.number(),
    at: z.number(),
    exact: z.boolean(),
    kind: text,
    units: strings,
    machine: text,
    machineName: text,
    text,
    why: text,
    operation: text,
    who: text,
    afterMs: z.nullable(z.number()),
  }),
  z.looseObject({
    cluster: text,
    since: z.number(),
    firstAt: z.nullable(z.number()),
    leftOut: z.number(),
  }),
]);

const load = z.looseObject({ instances: z.number(), memoryBytes: z.number(), cpus: z.number() });
const whatIf = z.looseObject({
  revision: z.number(),
  supposed: text,
  moves: z.array(z.looseObject({ instance: text, from: strings, to: strings, because: text })),
  unplaced: z.array(z.looseObject({ instance: text, from: strings, reason: text, already: z.boolean() })),
  stays: z.array(z.looseObject({ instance: text, reason: text })),
  machines: z.array(z.looseObject({ id: text, name: text, state: text, before: load, after: load })),
  alarms: strings,
  fits: z.boolean(),
  settled: z.boolean(),
});

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

const answer = <T>(schema: z.ZodMiniType): Answer<T> => schema as unknown as Answer<T>;

export const answers = {
  error: answer<{ error: { code: string; message: string } }>(
    z.object({
      error: z.object({
        code: text,
        message: text,
        hint: z.optional(text),
        details: z.optional(z.record(text, z.unknown())),
      }),
    }),
  ),
  health: answer<HealthView>(
    z.looseObject({
      cluster: text,
      machine: z.looseObject({ id: text, name: text, address: text }),
      roles: strings,
      version: text,
      contact: z.looseObject({ machine: text, hasContact: z.boolean(), ageMs: z.nullable(z.number()) }),
    }),
  ),
  snapshot: answer<SnapshotView>(
    z.looseObject({
      revision: z.number(),
      cluster: text,
      at: z.number(),
      leader: z.nullable(z.looseObject({ machine: text, name: z.nullable(text) })),
      machines: z.array(machine),
      units: z.array(unit),
      instances: z.array(instance),
      alarms: words,
      operations: z.array(operationSummary),
    }),
  ),
  settings: answer<SettingsView>(settings),
  plan: answer<PlanView>(plan),
  operation: answer<OperationView>(operation),
  rollouts: answer<{ rollouts: readonly RolloutView[] }>(z.looseObject({ rollouts: z.array(rollout) })),
  versions: answer<{ versions: readonly VersionView[] }>(z.looseObject({ versions: z.array(version) })),
  operations: answer<{ operations: readonly OperationSummary[] }>(
    z.looseObject({ operations: z.array(operationSummary) }),
  ),
  progress: answer<ProgressView>(progress),
  jobs: answer<JobsView>(jobs),
  timers: answer<TimersView>(timers),
  why: answer<WhyView>(why),
  whyMachine: answer<WhyMachineView>(whyMachine),
  whatIf: answer<WhatIfView>(whatIf),
  survivability: answer<SurvivabilityView>(survivability),
  timeline: answer<TimelineView>(timeline),
  historyLine: answer<HistoryStart | EventView>(historyLine),
  system: answer<SystemView>(system),
  store: answer<StoreStatusView>(storeStatus),
  growth: answer<GrowthPlan>(growth),
  restore: answer<RestorePlan>(restore),
  moveLine: answer<MoveLine>(moveLine),
  forgotten: answer<{ forgotten: readonly string[] }>(z.looseObject({ forgotten: strings })),
  newcomer: answer<{ credentials: unknown }>(z.looseObject({ credentials: z.unknown() })),
  image: answer<ImageView>(image),
  images: answer<{ images: readonly ImageView[] }>(z.looseObject({ images: z.array(image) })),
};
