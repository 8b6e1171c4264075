import { SystemdError } from "../error.ts";
import { journalFields } from "./entry.ts";

/** Which entries are wanted. */
export interface JournalQuery {
  /** Written by these units or by systemd about them; all entries if neither units nor an invocation is given. */
  readonly units?: readonly string[] | undefined;
  /** Only of this start of a unit (32 hexadecimal digits); goes before `units`. */
  readonly invocationId?: string | undefined;
  /** At most so many, the latest; all if not given. 0 together with following: only what is written from now on. */
  readonly lines?: number | undefined;
  /** Microseconds since 1970. */
  readonly sinceUsec?: number | undefined;
  /** Microseconds since 1970. */
  readonly untilUsec?: number | undefined;
  /** Only entries behind this one. */
  readonly afterCursor?: string | undefined;
  /** A directory with journal files, instead of the machine's own. */
  readonly directory?: string | undefined;
}

/**
 * The command that reads these entries as JSON, one in each line.
 * `-n 0` is never asked for: with it, journalctl loses entries that are written while it starts.
 * @throws SystemdError `invalid-value`
 */
export function journalctlCommand(query: JournalQuery, mode: "read" | "follow"): string[] {
  const { units = [], invocationId, lines, sinceUsec, untilUsec, afterCursor, directory } = query;
  if (lines !== undefined && !(Number.isSafeInteger(lines) && lines > 0)) {
    throw new SystemdError("invalid-value", `${lines} is no number of journal entries to read`);
  }
  if (invocationId !== undefined && !/^[0-9a-f]{32}$/.test(invocationId)) {
    throw new SystemdError("invalid-value", `${JSON.stringify(invocationId)} is no invocation id`);
  }
  const wanted =
    invocationId === undefined
      ? units.map((unit) => `--unit=${unit}`)
      : [`_SYSTEMD_INVOCATION_ID=${invocationId}`, "+", `INVOCATION_ID=${invocationId}`];
  return [
    "journalctl",
    "--output=json",
    // Without --all, fields beyond 4096 bytes become null.
    "--all",
    "--no-pager",
    "--quiet",
    `--output-fields=${journalFields.join(",")}`,
    ...(directory === undefined ? [] : [`--directory=${directory}`]),
    ...(mode === "follow" ? ["--follow", "--no-tail"] : []),
    ...(lines === undefined ? [] : [`--lines=${lines}`]),
    ...(sinceUsec === undefined ? [] : [`--since=${timestamp(sinceUsec)}`]),
    ...(untilUsec === undefined ? [] : [`--until=${timestamp(untilUsec)}`]),
    ...(afterCursor === undefined ? [] : [`--after-cursor=${afterCursor}`]),
    ...wanted,
  ];
}

function timestamp(usec: number): string {
  if (!Number.isSafeInteger(usec) || usec < 0) {
    throw new SystemdError("invalid-value", `${usec} is no time in microseconds since 1970`);
  }
  const fraction = String(usec % 1_000_000).padStart(6, "0");
  return `@${Math.floor(usec / 1_000_000)}.${fraction}`;
}
