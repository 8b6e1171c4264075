/**
 * Reads and follows the journal through journalctl. Following survives the end of journalctl: a new one goes on
 * behind the last entry that was given out, so nothing is left out and nothing comes twice.
 */
import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { SystemdError } from "../error.ts";
import { type Clock, systemClock, type SystemdLog } from "../manager/clock.ts";
import { journalctlCommand, type JournalQuery } from "./arguments.ts";
import { type JournalEntry, parseJournalEntry } from "./entry.ts";
import { boundedLines } from "./lines.ts";

/** A running journalctl; Node's ChildProcess is one. */
export interface JournalChild {
  readonly stdout: Readable;
  readonly stderr: Readable;
  kill(): boolean;
  once(event: "error", listener: (error: Error) => void): unknown;
  once(event: "close", listener: (code: number | null, signal: string | null) => void): unknown;
}

export interface JournalOptions {
  /** Ends the reading; the iteration then ends without an error. */
  readonly signal?: AbortSignal | undefined;
  /** Starts the command, elsewhere for instance: in a machine, or over ssh. */
  readonly spawn?: ((command: readonly string[]) => JournalChild) | undefined;
  readonly clock?: Clock | undefined;
  readonly log?: SystemdLog | undefined;
  /** Entries whose line is longer are left out and logged; 4 MiB if not given. */
  readonly maxLineBytes?: number | undefined;
}

const MAX_LINE_BYTES = 4 * 1024 * 1024;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
const SETTLED_MS = 10_000;
const MAX_FAILURES = 10;

/** The entries that are there now, oldest first. @throws SystemdError `journal-read`, `invalid-value` */
export async function* readJournal(
  query: JournalQuery,
  options: JournalOptions = {},
): AsyncGenerator<JournalEntry> {
  if (query.lines === 0) return;
  yield* new JournalReader(options).run(journalctlCommand(query, "read"), "read");
}

/**
 * The entries that are there now, then those that are being written, until the signal aborts or the iteration is
 * left. @throws SystemdError `journal-read` when journalctl ends ten times in a row without having read anything
 */
export async function* followJournal(
  query: JournalQuery,
  options: JournalOptions = {},
): AsyncGenerator<JournalEntry> {
  const { signal, clock = systemClock, log = () => undefined } = options;
  const reader = new JournalReader(options);
  let { afterCursor } = query;
  if (afterCursor === undefined) {
    const end = await reader.lastCursor(query);
    for await (const entry of readJournal(query, options)) {
      afterCursor = entry.cursor;
      yield entry;
    }
    afterCursor ??= end;
  }
  const { lines: _, sinceUsec, ...rest } = query;
  for (let failures = 0; signal?.aborted !== true; failures += 1) {
    const started = clock.now();
    // journalctl takes a time or a cursor, and not both.
    const from = afterCursor === undefined ? { sinceUsec } : { afterCursor };
    try {
      for await (const entry of reader.run(journalctlCommand({ ...rest, ...from }, "follow"), "follow")) {
        failures = 0;
        afterCursor = entry.cursor;
        yield entry;
      }
    } catch (cause) {
      if (!(cause instanceof SystemdError) || failures >= MAX_FAILURES) throw cause;
      log("journalctl ended; it is started again", { cause });
    }
    if (clock.now() - started > SETTLED_MS) failures = 0;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS);
    await clock.sleep(pause, signal).catch(() => undefined);
  }
}

class JournalReader {
  readonly #options: JournalOptions;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /** Where the journal ends now, whatever units are asked for; undefined when it is empty. */
  async lastCursor({ directory }: JournalQuery): Promise<string | undefined> {
    let cursor: string | undefined;
    for await (const entry of this.run(journalctlCommand({ lines: 1, directory }, "read"), "read"))
      cursor = entry.cursor;
    return cursor;
  }

  /** @throws SystemdError `journal-read` when the command fails, or ends though it should follow */
  async *run(command: readonly string[], mode: "read" | "follow"): AsyncGenerator<JournalEntry> {
    const { signal, log = () => undefined, maxLineBytes = MAX_LINE_BYTES } = this.#options;
    if (signal?.aborted) return;
    const child = (this.#options.spawn ?? spawnCommand)(command);
    const ended = outcome(child);
    const stop = (): void => {
      child.kill();
      child.stdout.destroy();
    };
    signal?.addEventListener("abort", stop, { once: true });
    try {
      const tooLong = (bytes: number): void => log("a journal entry was left out: it is too long", { bytes });
      for await (const line of boundedLines(untilDestroyed(child.stdout), maxLineBytes, tooLong)) {
        if (signal?.aborted) return;
        yield parseJournalEntry(line);
      }
      const failure = await ended;
      if (signal?.aborted) return;
      if (failure !== undefined) throw journalError(command, failure);
      if (mode === "follow") throw journalError(command, "it ended");
    } finally {
      signal?.removeEventListener("abort", stop);
      stop();
    }
  }
}

/** A stream that is destroyed while it is read ends; node would throw. */
async function* untilDestroyed(stream: Readable): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    const premature =
      error instanceof Error && "code" in error && error.code === "ERR_STREAM_PREMATURE_CLOSE";
    if (!premature) throw error;
  }
}

/** Resolves to what went wrong, with the end of what the command wrote about it; undefined when all went well. */
function outcome(child: JournalChild): Promise<string | undefined> {
  let said = "";
  child.stderr.on("data", (chunk: Uint8Array) => {
    said = (said + Buffer.from(chunk).toString()).slice(-2000);
  });
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => {
      const how = signal === null ? `exit status ${code}` : `signal ${signal}`;
      resolve(code === 0 ? undefined : [how, said.trim()].filter(Boolean).join(": "));
    });
  });
}

function journalError(command: readonly string[], why: string): SystemdError {
  return new SystemdError("journal-read", `${command.join(" ")}: ${why}`);
}

function spawnCommand([program = "", ...rest]: readonly string[]): JournalChild {
  return spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"] });
}
