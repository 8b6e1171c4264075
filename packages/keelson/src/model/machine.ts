// A machine as it announces itself, and a member as the cluster remembers it.
import * as z from "zod/mini";
import { moment, recordCodec } from "./record.ts";

const machineId = z.string().check(z.regex(/^[0-9a-f]{32}$/));

/** `machines/<id>`, under the machine's lease: the machine is there. */
export const machineCodec = recordCodec(
  "machine",
  z.object({
    /** The machine id of machine-id(5): 32 hexadecimal digits. */
    id: machineId,
    name: z.string(),
    address: z.string(),
    /** Port of the machine's reading API, where other machines ask it things. */
    apiPort: z.int(),
    /** boot_id of random(4): changes with every boot. */
    bootId: z.string(),
    metadata: z.record(z.string(), z.string()),
    capacity: z.object({
      cpus: z.number(),
      memoryBytes: z.number(),
      /** Resource limits of units that the kernel does not enforce here: memory, cpu, pids. */
      unenforced: z.array(z.string()),
    }),
    /** What of the capacity is there for units; all of it where nothing is said. */
    allocatable: z.optional(z.object({ cpus: z.number(), memoryBytes: z.number() })),
    os: z.object({ id: z.string(), version: z.string(), kernel: z.string() }),
    keeldVersion: z.string(),
    /** Unix milliseconds at which this boot of the machine registered first. */
    since: moment,
    leaseSeconds: z.number(),
  }),
);
export type Machine = ReturnType<typeof machineCodec.decode>;

/** `members/<id>`: written at the first registration, removed by `keel machine rm`. Without a lease. */
export const memberCodec = recordCodec(
  "member",
  z.object({ id: machineId, name: z.string(), address: z.string(), apiPort: z.int(), joined: moment }),
);
export type Member = ReturnType<typeof memberCodec.decode>;
