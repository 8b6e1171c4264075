// What happens to a fleet, in the order in which it happened: a ledger is nothing but the sum of these. On disk each
// is one line of JSON, `["s",1795226729102,"com.example.app","4e50…","slots"]`: a letter, then its fields in the
// order of the table below, with `null` for what is not there and nothing after the last that is.
import { KeelError } from "../base/errors.ts";
import { machineStates } from "./machine-state.ts";
import type { MachineState } from "./machine-state.ts";
import { reasonCodes } from "./reasons.ts";
import type { ReasonCode } from "./reasons.ts";

interface OfMachine {
  /** Milliseconds of the ledger's own clock, which never goes back. */
  readonly at: number;
  readonly application: string;
  readonly machine: string;
}

/** A machine asked or reported. What is left out is as before; of a new machine group and version are there. */
export interface Seen extends OfMachine {
  readonly kind: "seen";
  /** What it was told, when it asked. */
  readonly reason?: ReasonCode;
  readonly group?: string;
  readonly version?: string;
  readonly state?: MachineState;
  /** Alias and address, with a line break between them. */
  readonly names?: string;
  /** See `profileFields`; with line breaks between them. */
  readonly profile?: string;
  /** It proved who it is; that stays. */
  readonly proven?: true;
  /** A hash of the boot that it is in. */
  readonly boot?: number;
}

/** It may update to this version, and holds a slot of its group until then. */
export interface Granted extends OfMachine {
  readonly kind: "granted";
  readonly version: string;
  readonly until: number;
}

/** It came a step further; with `until` it holds a slot until then. */
export interface Moved extends OfMachine {
  readonly kind: "moved";
  readonly state: MachineState;
  readonly until?: number;
}

/** The end of a grant, or of what was left of one. */
export interface Ended extends OfMachine {
  readonly kind: "ended";
  /** `withdrawn`: it asked again, and policy says no by now. */
  readonly how: "done" | "failed" | "lapsed" | "withdrawn";
  /** Whether the brakes take it for a result. */
  readonly counted?: true;
  /** Of a failure: update_engine's number, flags and all. */
  readonly code?: number;
  /** It went back to what it ran before. */
  readonly fellBack?: true;
  /** What the machine says of it. */
  readonly words?: string;
}

interface OfGroup {
  readonly at: number;
  readonly application: string;
  readonly group: string;
  readonly version: string;
}

/** A version came to a group for the first time; or once more, as the way `back` from one that was halted. */
export interface RolloutBegan extends OfGroup {
  readonly kind: "began";
  /** What to go back to. */
  readonly good?: string;
  readonly back?: true;
}

/** It is given to nobody any more. */
export interface Halted extends OfGroup {
  readonly kind: "halted";
  readonly by: "failures" | "share" | "person";
  readonly failed: number;
  readonly results: number;
  readonly who?: string;
  /** What to go back to, as it is known by now. */
  readonly good?: string;
}

/** A person lets it go on; results count from nought. */
export interface Resumed extends OfGroup {
  readonly kind: "resumed";
  readonly who: string;
}

/** A person wants a machine to be given a version again: all versions when none is named. */
export interface Cleared extends OfMachine {
  readonly kind: "cleared";
  readonly version?: string;
  readonly who: string;
}

/** A machine is not known any more. */
export interface Forgotten extends OfMachine {
  readonly kind: "forgotten";
  readonly who?: string;
}

/** The wall's clock went back: so many milliseconds are the ledger's ahead of it from now on. */
export interface ClockSet {
  readonly kind: "clock";
  readonly at: number;
  readonly ahead: number;
}

export type Entry =
  | Seen
  | Granted
  | Moved
  | Ended
  | RolloutBegan
  | Halted
  | Resumed
  | Cleared
  | Forgotten
  | ClockSet;

/** Entries on which answers rest; the others only inform. */
export const isBinding = ({ kind }: Entry): boolean => kind !== "seen";

type Check = (value: unknown) => boolean;
interface Field {
  readonly name: string;
  readonly check: Check;
  readonly optional: boolean;
}

const text =
  (longest: number): Check =>
  (value) =>
    typeof value === "string" && value.length > 0 && value.length <= longest;
const anyText =
  (longest: number): Check =>
  (value) =>
    typeof value === "string" && value.length <= longest;
const time: Check = (value) =>
  typeof value === "number" && Number.isFinite(value) && Math.abs(value) <= 8.64e15;
const natural: Check = (value) => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
const yes: Check = (value) => value === true;
const oneOf = (names: readonly string[]): Check => {
  const known = new Set<unknown>(names);
  return (value) => known.has(value);
};

const need = (name: string, check: Check): Field => ({ name, check, optional: false });
const may = (name: string, check: Check): Field => ({ name, check, optional: true });
const at = need("at", time);
const application = need("application", text(160));
const machine = need("machine", text(128));
const group = need("group", text(64));
const version = need("version", text(128));
const states = oneOf(machineStates);

const table: Readonly<Record<Entry["kind"], { readonly letter: string; readonly fields: readonly Field[] }>> =
  {
    seen: {
      letter: "s",
      fields: [
        at,
        application,
        machine,
        may("reason", oneOf(reasonCodes)),
        may("group", text(64)),
        may("version", text(128)),
        may("state", states),
        may("names", anyText(600)),
        may("profile", anyText(2400)),
        may("proven", yes),
        may("boot", natural),
      ],
    },
    granted: { letter: "g", fields: [at, application, machine, version, need("until", time)] },
    moved: { letter: "m", fields: [at, application, machine, need("state", states), may("until", time)] },
    ended: {
      letter: "e",
      fields: [
        at,
        application,
        machine,
        need("how", oneOf(["done", "failed", "lapsed", "withdrawn"])),
        may("counted", yes),
        may("code", natural),
        may("fellBack", yes),
        may("words", anyText(200)),
      ],
    },
    began: {
      letter: "b",
      fields: [at, application, group, version, may("good", text(128)), may("back", yes)],
    },
    halted: {
      letter: "h",
      fields: [
        at,
        application,
        group,
        version,
        need("by", oneOf(["failures", "share", "person"])),
        need("failed", natural),
        need("results", natural),
        may("who", anyText(200)),
        may("good", text(128)),
      ],
    },
    resumed: { letter: "r", fields: [at, application, group, version, need("who", anyText(200))] },
    cleared: {
      letter: "c",
      fields: [at, application, machine, may("version", text(128)), need("who", anyText(200))],
    },
    forgotten: { letter: "f", fields: [at, application, machine, may("who", anyText(200))] },
    clock: { letter: "t", fields: [at, need("ahead", natural)] },
  };

const byLetter = new Map(
  Object.entries(table).map(([kind, { letter, fields }]) => [letter, { kind, fields }] as const),
);

/** One line, without its end. */
export function encodeEntry(entry: Entry): string {
  const { letter, fields } = table[entry.kind];
  const values: unknown[] = [letter];
  let last = 0;
  const record = entry as unknown as Readonly<Record<string, unknown>>;
  for (const { name } of fields) {
    const value = record[name];
    values.push(value ?? null);
    if (value !== undefined) last = values.length;
  }
  values.length = last;
  return JSON.stringify(values);
}

/** Reads a line. Throws KEEL-402 with the reason for what is no entry. */
export function decodeEntry(line: string): Entry {
  let values: unknown;
  try {
    values = JSON.parse(line);
  } catch (cause) {
    throw new KeelError("KEEL-402", `no entry of the update ledger: ${(cause as Error).message}`, { cause });
  }
  if (!Array.isArray(values)) throw noEntry("it is no list");
  const kind = byLetter.get(String(values[0]));
  if (kind === undefined) throw noEntry(`it begins with ${JSON.stringify(values[0])?.slice(0, 40)}`);
  if (values.length > kind.fields.length + 1) throw noEntry(`${kind.kind} with ${values.length - 1} fields`);
  const entry: Record<string, unknown> = { kind: kind.kind };
  for (const [place, { name, check, optional }] of kind.fields.entries()) {
    const value: unknown = values[place + 1] ?? undefined;
    if (value === undefined ? !optional : !check(value)) throw noEntry(`${kind.kind} with a bad "${name}"`);
    if (value !== undefined) entry[name] = value;
  }
  return entry as unknown as Entry;
}

function noEntry(why: string): KeelError {
  return new KeelError("KEEL-402", `no entry of the update ledger: ${why}`);
}
