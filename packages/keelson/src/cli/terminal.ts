// What a command may know and touch of the place it runs in. Passed in, so that tests bring their own.
import { createInterface } from "node:readline/promises";
import { describeError, exitCode, KeelError } from "../base/errors.ts";
import { reportError } from "./report-error.ts";

export interface Terminal {
  /** Data. */
  out(text: string | Uint8Array): void;
  /** Everything else: progress, errors, questions. */
  err(text: string): void;
  readonly outIsTTY: boolean;
  readonly errIsTTY: boolean;
  /** Whether a person can answer a question. */
  readonly interactive: boolean;
  /** Width of stderr's terminal, in characters. */
  columns(): number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Asks on stderr and waits for a line. Only to be called when `interactive`. */
  ask(question: string, signal: AbortSignal): Promise<string>;
}

/** The process's own terminal. */
export function processTerminal(): Terminal {
  // A reader that closes early (`keel list-units | head -1`) is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    const lost = new KeelError("KEEL-876", `the output could not be written: ${describeError(error)}`, {
      cause: error,
      hint: "what the command was asked to do may have been done",
    });
    process.exit(reportError(terminal, "text", lost));
  });
  // Nobody is left to be told.
  process.stderr.on("error", () => process.exit(exitCode.failed));
  const terminal: Terminal = {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    outIsTTY: process.stdout.isTTY === true,
    errIsTTY: process.stderr.isTTY === true,
    interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
    // Some terminals say 0.
    columns: () => process.stderr.columns || 80,
    env: process.env,
    cwd: process.cwd(),
    async ask(question, signal) {
      const reader = createInterface({ input: process.stdin, output: process.stderr });
      try {
        return await reader.question(question, { signal });
      } finally {
        reader.close();
      }
    },
  };
  return terminal;
}
