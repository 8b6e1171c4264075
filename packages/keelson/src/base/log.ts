// JSON lines with journald's priorities. The journal is where they live.

export type LogLevel = "error" | "warn" | "info" | "debug";
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** The same log with fields that every line carries. */
  with(fields: LogFields): Log;
}

const priorities: Readonly<Record<LogLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7 };

/**
 * One line for each entry: `<6>{"message":…}`; systemd strips the prefix and keeps the priority. `least` may be
 * asked anew for each entry.
 */
export function createLog(
  write: (line: string) => void,
  least: LogLevel | (() => LogLevel) = "info",
  bound: LogFields = {},
): Log {
  const entry = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (priorities[level] > priorities[typeof least === "function" ? least() : least]) return;
    write(`<${priorities[level]}>${JSON.stringify({ message, ...bound, ...fields }, replacer)}\n`);
  };
  return {
    error: entry("error"),
    warn: entry("warn"),
    info: entry("info"),
    debug: entry("debug"),
    with: (fields) => createLog(write, least, { ...bound, ...fields }),
  };
}

export const silentLog: Log = createLog(() => {});

function replacer(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error)
    return value.cause === undefined ? value.message : { error: value.message, cause: value.cause };
  return value;
}
