// What is on record about this machine's boots: /var/lib/keelson/os/boots.jsonl, written by shell scripts of the
// image before and after anything else (os/image/root/usr/lib/keelson) and by the boot gate. A line may be torn by
// a power cut; what cannot be read is left out.
import { open } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { statePaths } from "../model/os-image.ts";

export interface BootRecord {
  /** The kernel's id of the boot. */
  readonly boot: string;
  readonly version: string;
  /** `a`, `b`, or empty. */
  readonly slot: string;
  /** What the boot loader counted, this try among `done`; undefined when the boot was not on trial. */
  readonly trial?: { readonly left: number; readonly done: number };
  /** Seconds since 1970, by a clock that may not have been set yet. */
  readonly at: number;
  readonly commandLine: string;
  readonly verdict?: Verdict;
  /** It was ended on purpose; undefined while it runs, and when it was cut off. */
  readonly endedAt?: number;
}

export interface Verdict {
  /** `unhealthy` is what is only said: the boot was not on trial. */
  readonly verdict: "good" | "failed" | "unhealthy";
  readonly reasons: readonly string[];
  readonly at: number;
}

const boot = z.string().check(z.regex(/^[0-9a-f-]{32,36}$/));
const seconds = z.number().check(z.gte(0), z.lte(1e11));
const tries = z.object({
  left: z.int().check(z.gte(0), z.lte(999)),
  done: z.int().check(z.gte(0), z.lte(999)),
});

const line = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("boot"),
    boot,
    version: z.string().check(z.maxLength(100)),
    slot: z.string().check(z.maxLength(10)),
    trial: z.nullable(tries),
    at: seconds,
    commandLine: z.string().check(z.maxLength(8192)),
  }),
  z.object({
    kind: z.literal("verdict"),
    boot,
    at: seconds,
    verdict: z.enum(["good", "failed", "unhealthy"]),
    reasons: z.array(z.string().check(z.maxLength(8192))).check(z.maxLength(200)),
  }),
  z.object({ kind: z.literal("end"), boot, at: seconds }),
]);

/** The file is kept below this by the boots themselves; of a longer one the end is read. */
const longestBytes = 512 << 10;

/** Boots in the order in which they began. Never throws. */
export function parseBootRecords(text: string): readonly BootRecord[] {
  const boots = new Map<string, BootRecord>();
  for (const one of text.split("\n")) {
    const entry = parseLine(one);
    if (entry === undefined) continue;
    const known = boots.get(entry.boot);
    if (entry.kind === "boot") {
      const { boot: id, version, slot, trial, at, commandLine } = entry;
      const counted = trial === null ? {} : { trial };
      if (known === undefined) boots.set(id, { boot: id, version, slot, at, commandLine, ...counted });
    } else if (known !== undefined && entry.kind === "end") {
      boots.set(entry.boot, { ...known, endedAt: entry.at });
    } else if (known !== undefined && entry.kind === "verdict") {
      const { verdict, reasons, at } = entry;
      boots.set(entry.boot, { ...known, verdict: { verdict, reasons, at } });
    }
  }
  return [...boots.values()];
}

function parseLine(text: string): z.infer<typeof line> | undefined {
  if (text.length === 0 || text.length > 65_536) return undefined;
  try {
    return line.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export class BootRecords {
  readonly #path: string;

  constructor(folder: string = statePaths.updater) {
    this.#path = join(folder, "boots.jsonl");
  }

  /** Boots in the order in which they began; none when nothing is on record. */
  async read(): Promise<readonly BootRecord[]> {
    const file = await open(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (file === undefined) return [];
    try {
      const { size } = await file.stat();
      const length = Math.min(size, longestBytes);
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await file.read(buffer, 0, length, size - length);
      return parseBootRecords(buffer.toString("utf8", 0, bytesRead));
    } finally {
      await file.close();
    }
  }

  /** Puts a verdict on the disk before it resolves. */
  async addVerdict(bootId: string, { verdict, reasons, at }: Verdict): Promise<void> {
    const bounded = reasons.slice(0, 100).map((reason) => reason.slice(0, 2000));
    const text = JSON.stringify({ kind: "verdict", boot: bootId, at, verdict, reasons: bounded });
    const file = await open(this.#path, "a+", 0o600);
    try {
      const { size } = await file.stat();
      const last = Buffer.alloc(1);
      if (size > 0) await file.read(last, 0, 1, size - 1);
      const isTorn = size > 0 && last[0] !== 0x0a;
      await file.write(`${isTorn ? "\n" : ""}${text}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  }
}
