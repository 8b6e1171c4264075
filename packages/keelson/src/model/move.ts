import * as z from "zod/mini";
import { moment, recordCodec } from "./record.ts";

export const moveSchema = z.object({
  instance: z.string(),
  from: z.string(),
  /** The machine that the plan named; another one is as good when that is not there any more. */
  to: z.optional(z.string()),
  /** Why, in words: "rebalance: m2 has 9 units, m3 has 1". */
  because: z.string(),
  /** What the order at its end says of machines to avoid, see ScheduleEntry: by id, until when, Unix milliseconds. */
  avoids: z.optional(z.record(z.string(), moment)),
  /** Unix milliseconds. */
  at: moment,
});

/** `moves/<instance>`: the instance is to leave a machine for another. Gone when it has, or cannot. */
export const moveCodec = recordCodec("move", moveSchema);
export type Move = ReturnType<typeof moveCodec.decode>;
