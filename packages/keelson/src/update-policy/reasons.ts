// Why a machine is not updating, or what it is doing about it: a code with its facts, and one sentence. All times
// are Unix milliseconds of the wall's clock.
import { decodeFailure } from "@keelson/omaha";
import { ClockFaces } from "./clock-faces.ts";
import type { MachineState } from "./machine-state.ts";

export const reasonCodes = [
  "unknown-application",
  "unknown-group",
  "unknown-machine",
  "unreadable",
  "full",
  "unverified",
  "no-version",
  "no-package",
  "not-asking",
  "current",
  "newer",
  "paused",
  "halted",
  "downgrade",
  "prefix",
  "quarantined",
  "excluded",
  "wave",
  "window",
  "slots",
  "period",
  "updating",
  "ready",
] as const;
export type ReasonCode = (typeof reasonCodes)[number];

/** A failure of one machine with one version. */
export interface FailureFacts {
  readonly version: string;
  /** update_engine's number. */
  readonly code?: number;
  /** What the machine says of it. */
  readonly words?: string;
  readonly fellBack: boolean;
  /** How often it was given the version in vain. */
  readonly tries: number;
}

export type Reason =
  | { readonly code: "unknown-application"; readonly application: string }
  | { readonly code: "unknown-group"; readonly track: string }
  | { readonly code: "unknown-machine"; readonly machine: string }
  | { readonly code: "unreadable"; readonly what: string }
  /** So many machines are known that no more are taken on. */
  | { readonly code: "full"; readonly most: number }
  /** `wasProven`: it proved itself once, and does not any more. */
  | { readonly code: "unverified"; readonly wasProven: boolean }
  | { readonly code: "no-version"; readonly channel: string; readonly architecture: string }
  | { readonly code: "no-package"; readonly version: string; readonly architecture: string }
  | { readonly code: "not-asking" }
  | { readonly code: "current"; readonly version: string }
  | { readonly code: "newer"; readonly version: string; readonly target: string }
  | { readonly code: "paused"; readonly target: string }
  | {
      readonly code: "halted";
      readonly version: string;
      readonly by: "failures" | "share" | "person";
      readonly failed: number;
      readonly results: number;
      readonly since: number;
      readonly who?: string;
    }
  /** The leave to go back to `target` is missing. */
  | { readonly code: "downgrade"; readonly version: string; readonly target: string }
  | { readonly code: "prefix"; readonly prefix: string; readonly target: string }
  | { readonly code: "quarantined"; readonly failure: FailureFacts; readonly attempts: number }
  | { readonly code: "excluded"; readonly field: string; readonly value: string }
  | {
      readonly code: "wave";
      readonly version: string;
      /** Which wave is its own, from 1. */
      readonly wave: number;
      readonly of: number;
      /** Not before. */
      readonly opensAt: number;
      /** When only time is past: successes that are still missing. */
      readonly missing?: number;
    }
  | { readonly code: "window"; readonly opensAt?: number; readonly timezone: string }
  | { readonly code: "slots"; readonly taken: number; readonly of: number; readonly nextAt?: number }
  | { readonly code: "period"; readonly count: number; readonly seconds: number; readonly nextAt: number }
  | {
      readonly code: "updating";
      readonly version: string;
      readonly state: MachineState;
      /** It must say something new until then; without, its slot is gone. */
      readonly until?: number;
    }
  /** It may at its next check. */
  | { readonly code: "ready"; readonly version: string; readonly failure?: FailureFacts };

export interface Telling {
  readonly now: number;
  /** IANA's name of the reader's own; windows are told in theirs. */
  readonly timezone?: string;
  /** Whoever tells many reasons keeps one. */
  readonly clocks?: ClockFaces;
}

/** One sentence without a capital and a full stop. */
export function describeReason(
  reason: Reason,
  { now, timezone = "UTC", clocks = new ClockFaces() }: Telling,
): string {
  const at = (when: number): string => moment(when, { now, timezone, clocks });
  switch (reason.code) {
    case "unknown-application":
      return `refused: there is no application ${reason.application}`;
    case "unknown-group":
      return `refused: there is no group ${reason.track}`;
    case "unknown-machine":
      return `unknown: ${reason.machine} never asked for an update`;
    case "unreadable":
      return `refused: ${reason.what}`;
    case "full":
      return `refused: ${reason.most} machines are known, and no more are taken on`;
    case "unverified":
      return reason.wasProven
        ? "refused: it proved who it is before, and now it does not"
        : "held: its group is for machines that prove who they are, and this one does not";
    case "no-version":
      return `held: channel ${reason.channel} has no version for ${reason.architecture}`;
    case "no-package":
      return `held: there is no package of ${reason.version} for ${reason.architecture}`;
    case "not-asking":
      return "held: the machine itself does not want updates";
    case "current":
      return `up to date: runs ${reason.version}`;
    case "newer":
      return `up to date: runs ${reason.version}, its channel is at ${reason.target}`;
    case "paused":
      return `held: the group is paused, ${reason.target} is there`;
    case "halted":
      return `held: ${reason.version} was halted ${at(reason.since)}, ${haltWords(reason)}`;
    case "downgrade":
      return `held: nothing allows going back from ${reason.version} to ${reason.target}`;
    case "prefix":
      return `held: the machine wants ${reason.prefix}, the group has ${reason.target}`;
    case "quarantined":
      return `failed: ${failureWords(reason.failure)}, quarantined`;
    case "excluded":
      return `held: excluded, its ${reason.field} is "${reason.value}"`;
    case "wave":
      return `waiting: wave ${reason.wave} of ${reason.of} ${
        reason.missing === undefined
          ? `begins ${at(reason.opensAt)}`
          : `needs ${reason.missing} more ${reason.missing === 1 ? "machine" : "machines"} well on ${reason.version}`
      }`;
    case "window":
      return reason.opensAt === undefined
        ? "held: its window never opens"
        : `waiting: window opens ${moment(reason.opensAt, { now, timezone: reason.timezone, clocks, always: true })}`;
    case "slots":
      return `held: ${reason.taken} of ${reason.of} slots used${next(reason.nextAt, at)}`;
    case "period":
      return `held: ${reason.count} began within ${duration(reason.seconds)}${next(reason.nextAt, at)}`;
    case "updating":
      return updatingWords(reason, at);
    case "ready":
      return reason.failure === undefined
        ? `ready: may update to ${reason.version} at its next check`
        : `failed: ${failureWords(reason.failure)}, may try again at its next check`;
  }
}

const next = (when: number | undefined, at: (when: number) => string): string =>
  when === undefined ? "" : `, next about ${at(when)}`;

function haltWords({ by, failed, results, who }: Extract<Reason, { code: "halted" }>): string {
  if (by === "person") return `by ${who ?? "a person"}`;
  return by === "failures" ? `${failed} machines failed` : `${failed} of ${results} machines failed`;
}

function updatingWords(
  { state, version, until }: Extract<Reason, { code: "updating" }>,
  at: (when: number) => string,
): string {
  const rest = until === undefined ? ", without a slot" : `, has its slot until ${at(until)}`;
  switch (state) {
    case "granted":
      return `updating: was given ${version}${rest}`;
    case "installed":
      return `updating: ${version} is installed, waits for the restart${rest}`;
    case "proving":
      return `updating: runs ${version}, must stay well until ${at(until ?? 0)}`;
    default:
      return `updating: ${state} ${version}${rest}`;
  }
}

function failureWords({ version, code, words, fellBack, tries }: FailureFacts): string {
  const parts: string[] = [];
  if (words !== undefined && words !== "") parts.push(words);
  else if (code !== undefined && !fellBack) parts.push(causeWords(code));
  if (fellBack) parts.push(`went back from ${version}`);
  if (parts.length === 0) parts.push(`said nothing more of ${version}`);
  if (!fellBack && tries > 1) parts.push(`${tries} times`);
  return parts.join(", ");
}

/** The meaning of a failure's number, as the middle of a sentence. */
function causeWords(code: number): string {
  const { meaning } = decodeFailure(code);
  return meaning.charAt(0).toLowerCase() + meaning.slice(1).replace(/\.$/, "");
}

function duration(seconds: number): string {
  for (const [unit, length] of [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ] as const) {
    const count = seconds / length;
    if (count >= 1 && Number.isInteger(count)) return count === 1 ? `one ${unit}` : `${count} ${unit}s`;
  }
  return seconds === 1 ? "one second" : `${seconds} seconds`;
}

const weekdayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** `14:20` today, `Thu 04:00` within six days, `2026-11-30 04:00` otherwise. */
function moment(
  when: number,
  { now, timezone, clocks, always = false }: Required<Telling> & { readonly always?: boolean },
): string {
  const there = new Date(clocks.at(when, timezone));
  const date = there.toISOString().slice(0, 10);
  const time = there.toISOString().slice(11, 16);
  if (Math.abs(when - now) > 6 * 86_400_000) return `${date} ${time}`;
  const today = new Date(clocks.at(now, timezone)).toISOString().slice(0, 10) === date;
  return today && !always ? time : `${weekdayNames[there.getUTCDay()] ?? ""} ${time}`;
}
