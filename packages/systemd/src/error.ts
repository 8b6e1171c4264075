import type { Position } from "./unit-file/item.ts";

/** What each {@link SystemdError.code} means and what to do about it. */
export const systemdErrorCodes = {
  "unit-file-syntax": {
    meaning: "A unit file has a line that is no section, assignment, comment or blank line.",
    remedy: "Correct the line at the reported line and column.",
  },
  "unit-file-too-large": {
    meaning: "A unit file is larger than 1 MiB.",
    remedy: "Move the bulk into a file that the unit reads.",
  },
  "unit-file-encoding": {
    meaning: "A unit file holds NUL or bytes that are not UTF-8.",
    remedy: "Save the file as UTF-8 text.",
  },
  "invalid-value": {
    meaning: "A value does not have the form that systemd asks for.",
    remedy: "Write the value as systemd.syntax(7) and systemd.time(7) describe it.",
  },
  "invalid-name": {
    meaning: "A unit name breaks systemd's rules.",
    remedy:
      "Use letters, digits and :-_.\\ with a known suffix; escape other characters with systemd-escape.",
  },
  "unknown-specifier": {
    meaning: "A % is followed by a letter that is no specifier, or by one whose value is not known here.",
    remedy: "Write %% for a percent sign, or use a specifier from systemd.unit(5).",
  },
  "bus-unavailable": {
    meaning: "The message bus cannot be reached.",
    remedy: "Check that the machine runs and that its bus socket exists.",
  },
  "bus-closed": {
    meaning: "The connection to the message bus ended while a call was under way; its outcome is not known.",
    remedy: "Look at the unit's state, then repeat the call.",
  },
  "bus-call": {
    meaning: "systemd or the bus answered a call with an error; `dbusName` says which.",
    remedy: "Follow the message, which is systemd's own.",
  },
  "unknown-unit": {
    meaning: "systemd knows no unit of this name.",
    remedy: "Check the name, or put the unit file in place and reload.",
  },
  timeout: {
    meaning: "Something did not finish within the time that was given for it.",
    remedy: "Look at the unit's state and journal; allow more time if it is only slow.",
  },
  aborted: {
    meaning: "The caller gave up through its AbortSignal, or the object was disposed of.",
    remedy: "None: this is what was asked for.",
  },
  "journal-read": {
    meaning: "journalctl could not be run, or wrote what is no journal entry.",
    remedy: "Run the journalctl command of the message by hand and read its error.",
  },
} as const;

/** Stable identifier of an error of this library; see {@link systemdErrorCodes}. */
export type SystemdErrorCode = keyof typeof systemdErrorCodes;

/** Where an error comes from, as far as it is known. */
export interface SystemdErrorDetails {
  readonly cause?: unknown;
  /** Name of the unit file, as given to the parser. */
  readonly file?: string | undefined;
  /** Where in the unit file. */
  readonly position?: Position | undefined;
  /** Index (UTF-16) into the value or name that was refused. */
  readonly offset?: number | undefined;
  /** D-Bus error name, such as `org.freedesktop.systemd1.NoSuchUnit`. */
  readonly dbusName?: string | undefined;
}

/** Every error that this library throws. The message starts with `file:line:column: ` where those are known. */
export class SystemdError extends Error {
  override readonly name = "SystemdError";
  readonly code: SystemdErrorCode;
  /** The message without file, line and column. */
  readonly reason: string;
  readonly file: string | undefined;
  readonly position: Position | undefined;
  readonly offset: number | undefined;
  readonly dbusName: string | undefined;

  constructor(code: SystemdErrorCode, reason: string, details: SystemdErrorDetails = {}) {
    super(place(details) + reason, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.reason = reason;
    this.file = details.file;
    this.position = details.position;
    this.offset = details.offset;
    this.dbusName = details.dbusName;
  }
}

function place({ file, position }: SystemdErrorDetails): string {
  if (position === undefined) return file === undefined ? "" : `${file}: `;
  const where = `${position.line}:${position.column}: `;
  return file === undefined ? `line ${where}` : `${file}:${where}`;
}
