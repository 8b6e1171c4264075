import { SystemdError } from "../error.ts";

/** One entry of the journal, cut down to what is shown of it. */
export interface JournalEntry {
  /** Where it stands; give it as `afterCursor` to go on behind it. */
  readonly cursor: string;
  /** Microseconds since 1970. */
  readonly realtimeUsec: number;
  /** 32 hexadecimal digits. */
  readonly bootId: string | undefined;
  /** The unit that the entry is about, be it written by the unit or by systemd. */
  readonly unit: string | undefined;
  /** As it was written, a last line end included; bytes if it is not UTF-8. */
  readonly message: string | Uint8Array;
  /** 0 (emergency) to 7 (debug). */
  readonly priority: number | undefined;
  /** The start of the unit that it belongs to, 32 hexadecimal digits. */
  readonly invocationId: string | undefined;
  /** The program's name for itself. */
  readonly identifier: string | undefined;
  readonly pid: number | undefined;
  /** podman's name of the container that wrote it. */
  readonly container: string | undefined;
}

/** The fields that {@link parseJournalEntry} reads; journalctl adds the cursor and the times by itself. */
export const journalFields = [
  "MESSAGE",
  "PRIORITY",
  "SYSLOG_IDENTIFIER",
  "CONTAINER_NAME",
  "UNIT",
  "OBJECT_SYSTEMD_UNIT",
  "COREDUMP_UNIT",
  "INVOCATION_ID",
  "_SYSTEMD_UNIT",
  "_SYSTEMD_INVOCATION_ID",
  "_PID",
  "_BOOT_ID",
] as const;

/** Reads a line of `journalctl -o json`. @throws SystemdError `journal-read` */
export function parseJournalEntry(line: string): JournalEntry {
  const fields = parseFields(line);
  const cursor = text(fields["__CURSOR"]);
  const realtimeUsec = Number(text(fields["__REALTIME_TIMESTAMP"]));
  if (cursor === undefined || !Number.isSafeInteger(realtimeUsec)) {
    throw new SystemdError("journal-read", `a journal entry has no cursor or time: ${line.slice(0, 200)}`);
  }
  const systemdOf =
    text(fields["UNIT"]) ?? text(fields["OBJECT_SYSTEMD_UNIT"]) ?? text(fields["COREDUMP_UNIT"]);
  return {
    cursor,
    realtimeUsec,
    bootId: text(fields["_BOOT_ID"]),
    unit: systemdOf ?? text(fields["_SYSTEMD_UNIT"]),
    message: single(fields["MESSAGE"]) ?? "",
    priority: number(fields["PRIORITY"]),
    invocationId: text(fields["INVOCATION_ID"]) ?? text(fields["_SYSTEMD_INVOCATION_ID"]),
    identifier: text(fields["SYSLOG_IDENTIFIER"]),
    pid: number(fields["_PID"]),
    container: text(fields["CONTAINER_NAME"]),
  };
}

function parseFields(line: string): Readonly<Record<string, unknown>> {
  try {
    const fields: unknown = JSON.parse(line);
    if (typeof fields === "object" && fields !== null) return fields as Record<string, unknown>;
  } catch (cause) {
    throw new SystemdError("journal-read", `journalctl wrote what is not JSON: ${line.slice(0, 200)}`, {
      cause,
    });
  }
  throw new SystemdError("journal-read", `journalctl wrote what is no entry: ${line.slice(0, 200)}`);
}

/** A field is a string, an array of byte values, or an array of several of these, of which the first counts. */
function single(field: unknown): string | Uint8Array | undefined {
  if (typeof field === "string") return field;
  if (!Array.isArray(field)) return undefined;
  if (field.every((byte) => typeof byte === "number")) return Uint8Array.from(field);
  return single(field[0]);
}

function text(field: unknown): string | undefined {
  const value = single(field);
  return typeof value === "string" ? value : undefined;
}

function number(field: unknown): number | undefined {
  const value = text(field);
  return value === undefined || !/^\d+$/.test(value) ? undefined : Number(value);
}
