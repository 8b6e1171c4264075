// What people have said of a machine and of the cluster, apart from what the machine says of itself.
import * as z from "zod/mini";
import { moment, recordCodec } from "./record.ts";

/** `settings/machines/<id>`: kept when the machine is away. Absent while nobody said anything. */
export const machineSettingsCodec = recordCodec(
  "machine settings",
  z.object({
    machine: z.string(),
    /** Takes no new units. */
    cordoned: z.boolean(),
    /** Its units are on their way elsewhere; cordoned, too. */
    drain: z.optional(
      z.object({
        /** Unix milliseconds. */
        since: moment,
        /** When what is still here is stopped anyway, in Unix milliseconds; never when left out. */
        deadline: z.optional(moment),
        /** Why, in words: "kernel update". */
        reason: z.string(),
      }),
    ),
    /** Over the machine's own metadata; the empty value takes a key away. */
    metadata: z.record(z.string(), z.string()),
  }),
);
export type MachineSettings = ReturnType<typeof machineSettingsCodec.decode>;

/** `settings/cluster`. */
export const clusterSettingsCodec = recordCodec(
  "cluster settings",
  z.object({
    /** Moves units to machines that came back or were added, without being asked. */
    autoRebalance: z.boolean(),
    /** How much of a machine's memory and processors requests may take in all: 1 for what there is. */
    overcommit: z.object({
      memory: z.number().check(z.gte(1), z.lte(100)),
      cpu: z.number().check(z.gte(1), z.lte(100)),
    }),
  }),
);
export type ClusterSettings = ReturnType<typeof clusterSettingsCodec.decode>;

export const defaultClusterSettings: ClusterSettings = {
  autoRebalance: false,
  overcommit: { memory: 1, cpu: 1 },
};
