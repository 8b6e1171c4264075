import { SystemdError, followJournal, readJournal } from "@keelson/systemd";
import type { JournalChild, JournalEntry, JournalQuery } from "@keelson/systemd";
import { KeelError } from "../../base/errors.ts";
import type { MachineView } from "../../api/wire.ts";
import { printable } from "../colour.ts";
import { formatMoment, parseDuration } from "../duration.ts";
import type { Invocation, Register } from "../invocation.ts";
import { mergeLive, mergeOrdered } from "../journal-merge.ts";
import { placedInstances, serviceOf, sshSpawner } from "../machine-access.ts";

interface JournalOptions {
  readonly follow?: boolean;
  readonly lines?: string;
  readonly since?: string;
  readonly until?: string;
}

/** An entry with where it comes from. */
interface PlacedEntry extends JournalEntry {
  readonly machine: string;
  /** The instance, as Keelson calls it. */
  readonly instance: string;
}

interface Source {
  readonly machine: MachineView;
  /** Instance names by the service that systemd runs for them. */
  readonly services: ReadonlyMap<string, string>;
}

const mergeWindowMs = 150;

export const register: Register = (program, act) => {
  const command = program
    .command("journal")
    .argument("<units...>", "units, instances, or patterns in quotes")
    .option("-f, --follow", "go on with what is written from now on")
    .option("-n, --lines <number>", "the latest entries of each machine (10; all with --since)")
    .option("--since <when>", "3h (ago) or a date: 2026-11-03T14:00")
    .option("--until <when>", "the same")
    .description("Show the journal of units, merged over all their instances and machines.");
  act<JournalOptions>(command, async (keel, words, options) => {
    const client = await keel.daemon();
    const placed = placedInstances(words, await client.snapshot());
    const sources = new Map<string, { machine: MachineView; services: Map<string, string> }>();
    for (const { instance, machine } of placed) {
      const source = sources.get(machine.id) ?? { machine, services: new Map<string, string>() };
      source.services.set(await serviceOf(instance, client), instance.name);
      sources.set(machine.id, source);
    }
    const query = queryFor(options, keel.clock.wall());
    const follow = options.follow === true;
    const streams = [...sources.values()].map((source) => entriesOf(keel, source, { query, follow }));
    const merged = follow ? mergeLive(streams, mergeWindowMs) : mergeOrdered(streams);
    const width = Math.max(
      ...placed.map(({ instance, machine }) => instance.name.length + machine.name.length + 1),
    );
    for await (const entry of merged) {
      if (keel.signal.aborted) return;
      keel.output.event("entry", entryDocument(entry), () => entryText(entry, width, keel));
    }
  });
};

/** The entries of one machine. One that cannot be read is told of, and the others go on. */
async function* entriesOf(
  keel: Invocation,
  source: Source,
  { query, follow }: { readonly query: JournalQuery; readonly follow: boolean },
): AsyncGenerator<PlacedEntry> {
  const spawn: (argv: readonly string[]) => JournalChild = await sshSpawner(keel, source.machine);
  const wanted = { ...query, units: [...source.services.keys()] };
  const read = follow ? followJournal : readJournal;
  try {
    for await (const entry of read(wanted, { spawn, signal: keel.signal })) {
      const instance = source.services.get(entry.unit ?? "") ?? entry.unit ?? "";
      yield { ...entry, machine: source.machine.name, instance };
    }
  } catch (error) {
    if (!(error instanceof SystemdError) || error.code !== "journal-read") throw error;
    keel.progress.note(`warning: the journal of ${source.machine.name} cannot be read: ${error.reason}`);
  }
}

/** The entries that the options ask for. Throws KEEL-104. */
export function queryFor(options: JournalOptions, now: number): JournalQuery {
  const all = options.since !== undefined || options.until !== undefined;
  if (options.lines !== undefined && !/^(all|[1-9]\d*)$/.test(options.lines)) {
    throw new KeelError("KEEL-104", `--lines ${options.lines}: no number of lines`, {
      hint: "--lines 100, or --lines all",
    });
  }
  const lines =
    options.lines === undefined
      ? all
        ? undefined
        : 10
      : options.lines === "all"
        ? undefined
        : Number(options.lines);
  return {
    ...(lines === undefined ? {} : { lines }),
    ...(options.since === undefined ? {} : { sinceUsec: momentUsec(options.since, "--since", now) }),
    ...(options.until === undefined ? {} : { untilUsec: momentUsec(options.until, "--until", now) }),
  };
}

function momentUsec(text: string, what: string, now: number): number {
  if (/^[\d.]/.test(text) && !text.includes("-"))
    return Math.round(Math.max(0, now - parseDuration(text, what)) * 1000);
  const ms = text === "now" ? now : Date.parse(text);
  if (Number.isFinite(ms)) return Math.round(ms * 1000);
  throw new KeelError("KEEL-104", `${what} ${text}: no time`, {
    hint: "3h for three hours ago, or 2026-11-03T14:00",
  });
}

function entryDocument(entry: PlacedEntry): Record<string, unknown> {
  const { machine, instance, cursor, realtimeUsec, message, priority, invocationId, identifier, pid } = entry;
  return {
    machine,
    instance,
    at: realtimeUsec / 1000,
    message: messageText(message),
    priority,
    identifier,
    pid,
    invocation: invocationId,
    cursor,
  };
}

function entryText(entry: PlacedEntry, width: number, keel: Invocation): string {
  const source = `${entry.machine} ${entry.instance}`.padEnd(width);
  const message = printable(messageText(entry.message));
  const words = entry.priority !== undefined && entry.priority <= 3 ? keel.paint("red", message) : message;
  const lead = `${formatMoment(entry.realtimeUsec / 1000)} ${keel.paint("dim", source)} `;
  return words
    .split("\n")
    .map((line) => `${lead}${line}\n`)
    .join("");
}

function messageText(message: string | Uint8Array): string {
  const text = typeof message === "string" ? message : new TextDecoder().decode(message);
  return text.replace(/\n$/, "");
}
