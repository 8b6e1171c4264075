// What a change of machines would move, as the scheduler foretells it: part of a drain's and a rebalancing's plan.
import * as z from "zod/mini";

/** An instance that an operation moves. Machine ids. */
export const plannedMoveSchema = z.object({
  instance: z.string(),
  from: z.string(),
  /** Where it would go as things stand; left out when it is to be on fewer machines afterwards. */
  to: z.optional(z.string()),
});
export type PlannedMove = z.infer<typeof plannedMoveSchema>;

export interface ForetoldMove extends PlannedMove {
  /** Why it goes there, or why it needs to go nowhere. */
  readonly because: string;
  /** Nothing of its unit runs while it moves: it is the only one, and may not exist twice. */
  readonly isDown: boolean;
}

export interface Forecast {
  /** Names of the machines that are named by their ids. */
  readonly machines: Readonly<Record<string, string>>;
  readonly moves: readonly ForetoldMove[];
  /** Instances that no other machine takes, with the reason. */
  readonly stranded: readonly { readonly instance: string; readonly from: string; readonly reason: string }[];
  /** No other machine takes new units. */
  readonly isLastMachine: boolean;
}
