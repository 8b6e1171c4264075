// What an agent remembers of its units’ health beyond its own restart: one JSON text on the machine.
import * as z from "zod/mini";

const schema = z.object({
  /** The order that it belongs to. */
  order: z.string(),
  /** systemd's invocation that was looked at last, and how often systemd had restarted it then. */
  invocation: z.string(),
  restarts: z.int(),
  /** The failed state that was counted last. */
  counted: z.string(),
  /** Unix milliseconds. */
  log: z.object({
    /** When, oldest first; and the same without the time that the machine waited between tries before. */
    failures: z.array(z.object({ at: z.number(), awake: z.number() })).check(z.maxLength(200)),
    /** How long the machine has waited between tries altogether. */
    waitedMs: z.number(),
    /** How often the machine has tried again since the unit was well last. */
    tries: z.int(),
    /** The wait before the next try. */
    waiting: z.optional(z.object({ from: z.number(), until: z.number() })),
  }),
  /** What checks have found about this invocation. */
  found: z.optional(z.object({ state: z.enum(["starting", "healthy", "unhealthy"]), reason: z.string() })),
});
type Stored = z.infer<typeof schema>;

export interface FailureLog extends Omit<Stored["log"], "failures"> {
  readonly failures: readonly Stored["log"]["failures"][number][];
}

export interface RememberedHealth extends Omit<Stored, "log"> {
  readonly log: FailureLog;
}

const file = z.record(z.string(), schema);

/** By unit name; `undefined` for a text that is none of ours. */
export function readRememberedHealth(text: string): Map<string, RememberedHealth> | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = file.safeParse(json);
  return parsed.success ? new Map(Object.entries(parsed.data)) : undefined;
}
