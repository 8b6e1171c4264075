// The updater's own records in /var/lib/keelson/os: what is under way or waits for a restart (state.json), and what
// happened (history.jsonl). What cannot be read counts as not there: slots and boot entries are the truth, these only
// say more about it.
import { mkdir, open, rename } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { readIfThere, removeIfThere } from "../host/atomic-file.ts";
import { statePaths } from "../model/os-image.ts";
import { version } from "../releases/words.ts";
import { diskError } from "./disk-slots/block-file.ts";

export const phases = ["check", "kernel", "delta", "root", "verify", "activate"] as const;
export type Phase = (typeof phases)[number];

const at = z.number().check(z.gte(0), z.lte(1e14));
const words = z.string().check(z.maxLength(1000));

const stateShape = z.object({
  schema: z.literal(1),
  /** An update that runs, or broke off. Milliseconds since 1970. */
  current: z.optional(
    z.object({
      version,
      source: words,
      phase: z.enum(phases),
      done: z.number(),
      total: z.number(),
      startedAt: at,
      updatedAt: at,
    }),
  ),
  /** What the next start is for. Counts only while the boot menu says so, too. */
  waiting: z.optional(z.object({ kind: z.enum(["update", "rollback"]), version, since: at })),
});
export type UpdaterState = z.infer<typeof stateShape>;

const eventShape = z.object({
  /** Milliseconds since 1970. */
  at,
  kind: z.enum(["started", "staged", "failed", "interrupted", "refused", "rollback", "cancelled", "restart"]),
  version,
  /** What ran. */
  from: z.optional(version),
  source: z.optional(words),
  how: z.optional(z.enum(["full", "delta", "present"])),
  /** Downloaded. */
  bytes: z.optional(z.number()),
  seconds: z.optional(z.number()),
  code: z.optional(words),
  why: z.optional(words),
});
export type HistoryEvent = z.infer<typeof eventShape>;

/** Events that are kept, and a bound for what is read. */
const keptEvents = 500;
const largestFile = 2 << 20;

export class Records {
  readonly folder: string;

  constructor(folder: string = statePaths.updater) {
    this.folder = folder;
  }

  async state(): Promise<UpdaterState> {
    const text = await readIfThere(join(this.folder, "state.json")).catch(() => undefined);
    return parseState(text ?? "");
  }

  /** Resolves when it is on the disk. Rejects with KEEL-809 or KEEL-810. */
  async setState(state: UpdaterState): Promise<void> {
    await this.#replace("state.json", `${JSON.stringify(state)}\n`);
  }

  /** The oldest first; lines that cannot be read are left out. */
  async history(): Promise<readonly HistoryEvent[]> {
    const text = (await readIfThere(join(this.folder, "history.jsonl")).catch(() => undefined)) ?? "";
    return parseHistory(text.slice(-largestFile));
  }

  /** Resolves when it is on the disk. */
  async append(event: HistoryEvent): Promise<void> {
    const bounded = { ...event, ...(event.why === undefined ? {} : { why: event.why.slice(0, 1000) }) };
    const kept = [...(await this.history()), bounded].slice(-keptEvents);
    await this.#replace("history.jsonl", kept.map((one) => `${JSON.stringify(one)}\n`).join(""));
  }

  async #replace(name: string, text: string): Promise<void> {
    const path = join(this.folder, name);
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      {
        await using file = await open(`${path}.new`, "w", 0o600);
        await file.writeFile(text);
        await file.sync();
      }
      await rename(`${path}.new`, path);
    } catch (error) {
      await removeIfThere(`${path}.new`).catch(() => {});
      throw diskError(error, this.folder);
    }
  }
}

/** An empty state for what cannot be read. */
export function parseState(text: string): UpdaterState {
  try {
    return stateShape.safeParse(JSON.parse(text)).data ?? { schema: 1 };
  } catch {
    return { schema: 1 };
  }
}

export function parseHistory(text: string): readonly HistoryEvent[] {
  return text.split("\n").flatMap((line) => {
    try {
      const event = eventShape.safeParse(JSON.parse(line)).data;
      return event === undefined ? [] : [event];
    } catch {
      return [];
    }
  });
}
