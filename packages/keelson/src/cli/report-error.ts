// How a failure is told: what happened, what to do, under which code. In JSON the same as one object.
import { errorCatalogue } from "../base/error-catalogue.ts";
import type { ErrorCode } from "../base/error-catalogue.ts";
import { KeelError, describeError, exitCode } from "../base/errors.ts";
import type { ExitCode } from "../base/errors.ts";
import { paintFor, printable } from "./colour.ts";
import { documentVersion } from "./output.ts";
import type { Format } from "./output.ts";
import type { Terminal } from "./terminal.ts";

/** Ctrl-C: 128 + SIGINT, as shells report it. Not one of the frozen codes, since the command did not end by itself. */
export const interruptedExit = 130;

/** Thrown to end the command after Ctrl-C: `message` says what was left in which state. */
export class Interrupted extends Error {
  constructor(message = "interrupted") {
    super(message);
    this.name = "Interrupted";
  }
}

/** Prints the error to stderr and returns the exit code that it stands for. */
export function reportError(
  terminal: Terminal,
  format: Format,
  error: unknown,
): ExitCode | typeof interruptedExit {
  if (error instanceof Interrupted) {
    terminal.err(
      format === "text"
        ? `${error.message}\n`
        : `${JSON.stringify({ version: documentVersion, interrupted: error.message })}\n`,
    );
    return interruptedExit;
  }
  const known = toKeelError(error);
  if (format === "text") terminal.err(errorText(terminal, known));
  else terminal.err(`${JSON.stringify({ version: documentVersion, error: known.toJSON() })}\n`);
  if (known.code === "KEEL-900" && terminal.env.KEEL_DEBUG && error instanceof Error)
    terminal.err(`${error.stack ?? ""}\n`);
  return known.exitCode;
}

/** Any thrown value as a KeelError: one from a library keeps its words, anything else is internal. */
export function toKeelError(error: unknown): KeelError {
  if (error instanceof KeelError) return error;
  if (error instanceof Error && error.name === "TimeoutError") {
    return new KeelError("KEEL-601", "the daemon did not answer in time", {
      cause: error,
      hint: "`keel doctor` says more",
    });
  }
  return new KeelError("KEEL-900", describeError(error), {
    cause: error,
    hint: "KEEL_DEBUG=1 shows where it happened",
  });
}

/** True for a code that the catalogue holds. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code);
}

function errorText(terminal: Terminal, error: KeelError): string {
  const paint = paintFor(terminal.errIsTTY, terminal.env);
  const hint = error.hint ?? (error.exitCode === exitCode.usage ? "" : errorCatalogue[error.code].remedy);
  const lines = [`${paint(["red", "bold"], "error:")} ${printable(describeError(withoutCause(error)))}`];
  if (hint !== "") lines.push(`${paint("cyan", "hint:")} ${printable(hint)}`);
  lines.push(`${paint("dim", "code:")} ${error.code} ${paint("dim", `(keel explain ${error.code})`)}`);
  return `${lines.join("\n")}\n`;
}

/** Messages of KeelErrors are complete sentences; their causes are for the journal. */
function withoutCause(error: KeelError): string {
  return error.message;
}
