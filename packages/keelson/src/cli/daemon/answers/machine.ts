// The form of a machine.
import * as z from "zod/mini";
import { strings, text, words } from "./form.ts";

const amounts = z.looseObject({ memoryBytes: z.number(), cpus: z.number() });

export const machine = z.looseObject({
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
