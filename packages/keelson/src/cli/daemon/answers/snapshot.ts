// The form of the cluster at one revision.
import * as z from "zod/mini";
import type { SnapshotView } from "../../../api/wire/snapshot.ts";
import { answer, text, words } from "./form.ts";
import { instance } from "./instance.ts";
import { machine } from "./machine.ts";
import { operationSummary } from "./operation.ts";
import { unit } from "./unit.ts";

export const snapshotAnswer = answer<SnapshotView>(
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
);
