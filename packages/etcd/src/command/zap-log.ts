// The log in the form that etcd's has (zap's JSON, one object a line): whoever waits for etcd's lines finds them.

import { appendFileSync } from "node:fs";
import type { LogFunction, LogLevel } from "../server/index.ts";
import { FlagError } from "./flag-error.ts";

/** Levels as etcd names them, least first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "panic", "fatal"] as const;

export type LogWriter = (line: string) => void;

/** A log that writes what is at or above a level. `now` is the time of day in milliseconds. */
export function zapLog(
  write: LogWriter,
  least: (typeof LOG_LEVELS)[number],
  now: () => number = () => performance.timeOrigin + performance.now(),
): LogFunction {
  const threshold = LOG_LEVELS.indexOf(least);
  const log: LogFunction = (level: LogLevel, message, fields = {}) => {
    if (LOG_LEVELS.indexOf(level) < threshold) return;
    const line = { level, ts: timestamp(now()), caller: callerOf(log), msg: message, ...fields };
    write(`${JSON.stringify(line, plain)}\n`);
  };
  return log;
}

/** The place that logs, as folder/file:line. Nobody logs often enough for its cost to count. */
function callerOf(log: LogFunction): string {
  const trace: { stack?: string } = {};
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(trace, log);
  Error.stackTraceLimit = stackTraceLimit;
  return /([^/\s(]+\/[^/\s]+:\d+):\d+\)?$/.exec(trace.stack ?? "")?.[1] ?? "unknown";
}

/** Where --log-outputs says that lines go. Throws FlagError for what cannot be had. */
export function logWriter(
  outputs: readonly string[],
  terminal: { readonly out: LogWriter; readonly err: LogWriter },
): LogWriter {
  const writers = outputs.map((output): LogWriter => {
    if (output === "default" || output === "stderr") return terminal.err;
    if (output === "stdout") return terminal.out;
    if (output === "systemd/journal") {
      throw new FlagError(
        "--log-outputs systemd/journal is not supported: under systemd stderr goes to the journal",
      );
    }
    const write: LogWriter = (line) => appendFileSync(output, line);
    try {
      write("");
    } catch (cause) {
      throw new FlagError(`--log-outputs: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
    return write;
  });
  return (line) => {
    for (const write of writers) write(line);
  };
}

/** With microseconds, as zap writes them. */
function timestamp(milliseconds: number): string {
  const whole = Math.floor(milliseconds);
  const micros = Math.floor((milliseconds - whole) * 1000);
  return new Date(whole).toISOString().replace("Z", `${String(micros).padStart(3, "0")}Z`);
}

function plain(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Error ? value.message : value;
}
