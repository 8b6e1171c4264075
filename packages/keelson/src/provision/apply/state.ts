// What a machine remembers of what it was told: /var/lib/keelson/provision/state.json, 0600.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { writeSynced } from "./written-file.ts";

const id = z.string().check(z.minLength(1), z.maxLength(1200));

const madeFile = z.strictObject({
  path: z.string(),
  /** Name below `originals/` of what was there before; absent when there was nothing. */
  original: z.optional(z.string().check(z.regex(/^[0-9a-f]{64}$/))),
});

const applied = z.strictObject({
  id,
  digest: z.string(),
  /** For people: describeItem(). */
  what: z.string(),
  /** Unix milliseconds. */
  at: z.number(),
  /** The boot for which it holds, for what is gone after a restart. */
  boot: z.optional(z.string()),
  made: z.array(madeFile),
  /** What else has to be taken back. */
  enabled: z.optional(z.string()),
  previousPassword: z.optional(z.string()),
});

const failure = z.strictObject({ id, what: z.string(), message: z.string(), at: z.number() });
const finding = z.strictObject({
  severity: z.enum(["error", "warning"]),
  path: z.string(),
  message: z.string(),
  remedy: z.string(),
  line: z.number(),
  column: z.number(),
});

const schema = z.strictObject({
  version: z.literal(1),
  source: z.optional(z.strictObject({ kind: z.string(), where: z.string() })),
  instance: z.optional(z.string()),
  /** When a configuration was last read and what it asked for was done. Unix milliseconds. */
  at: z.optional(z.number()),
  /** SHA-256 of what the source said, and of the program that read it. */
  configuration: z.optional(z.string()),
  applied: z.array(applied),
  failures: z.array(failure),
  /** Waits for the network: ids. */
  waiting: z.array(z.string()),
  findings: z.array(finding),
  /** Numbers once given, for good: whoever comes back owns the same files. */
  accounts: z.strictObject({
    users: z.record(z.string(), z.int()),
    groups: z.record(z.string(), z.int()),
  }),
});

export type ProvisionState = z.infer<typeof schema>;
export type AppliedItem = z.infer<typeof applied>;
export type MadeFile = z.infer<typeof madeFile>;

export const emptyState: ProvisionState = {
  version: 1,
  applied: [],
  failures: [],
  waiting: [],
  findings: [],
  accounts: { users: {}, groups: {} },
};

/** Undefined when there is none; `damaged` when it cannot be read. */
export async function readState(folder: string): Promise<ProvisionState | "damaged" | undefined> {
  let text: string;
  try {
    text = await readFile(join(folder, "state.json"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const result = schema.safeParse(JSON.parse(text));
    return result.success ? result.data : "damaged";
  } catch {
    return "damaged";
  }
}

export async function writeState(folder: string, state: ProvisionState): Promise<void> {
  await writeSynced(join(folder, "state.json"), `${JSON.stringify(state, undefined, 1)}\n`, 0o600);
}
