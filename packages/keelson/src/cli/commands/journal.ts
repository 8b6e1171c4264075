import type { JournalQuery } from "@keelson/systemd";
import { Option } from "commander";
import { KeelError } from "../../base/errors.ts";
import { printable } from "../colour.ts";
import { formatMoment, parseDuration } from "../duration.ts";
import type { Invocation, Register } from "../invocation.ts";
import { mergeLive, mergeOrdered } from "../journal-merge.ts";
import { JournalSources } from "../journal-sources.ts";
import { openRunJournal } from "../run-journal.ts";
import type { PlacedEntry, Reach } from "../journal-sources.ts";
import { placedInstances, portOf, runOnMachine, serviceOf } from "../machine-access.ts";
import { formats, journalModes } from "../output.ts";

interface JournalOptions {
  readonly follow?: boolean;
  readonly lines?: string;
  readonly since?: string;
  readonly until?: string;
  readonly run?: string;
  readonly sudo?: boolean;
  readonly sshPort?: string;
  readonly output?: string;
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
    .option("--run <number>", "what this run wrote, of a unit that runs to its end; or `last`")
    .addOption(
      new Option(
        "-o, --output <format>",
        "text, json, ndjson, or journalctl’s own: cat, short-iso, verbose …",
      ).choices([...formats, ...journalModes]),
    )
    .option("--sudo", "read it with sudo, for --ssh-username")
    .option("--ssh-port <number>", "the machines’ port for ssh (22)")
    .description("Show the journal of units, merged over all their instances and machines.");
  act<JournalOptions>(command, async (keel, words, options) => {
    const query = queryFor(options, keel.clock.wall());
    const reach = { port: portOf(options), sudo: options.sudo === true };
    if (options.run !== undefined) return showRun(keel, words, { ...options, reach });
    if (journalModes.has(options.output ?? "")) return plainJournal(keel, words, { ...options, reach });
    const sources = new JournalSources(keel, await keel.daemon(), { words, query, reach });
    const merged: AsyncIterable<PlacedEntry> =
      options.follow === true
        ? mergeLive(sources.followed(), mergeWindowMs)
        : mergeOrdered(await sources.now());
    for await (const entry of merged) {
      if (keel.signal.aborted) return;
      keel.output.event("entry", entryDocument(entry), () => entryText(entry, sources.width, keel));
    }
  });
};

/** As journalctl on the machine prints it, one instance after another. */
async function plainJournal(
  keel: Invocation,
  words: readonly string[],
  { output = "short", lines = "10", follow, reach }: JournalOptions & { readonly reach: Reach },
): Promise<number> {
  const client = await keel.daemon();
  const placed = placedInstances(words, await client.snapshot());
  if (follow === true && placed.length > 1)
    throw new KeelError("KEEL-104", `--follow with --output=${output} follows one instance`, {
      hint: `leave --output out, or name one of ${placed.map(({ instance }) => instance.name).join(", ")}`,
    });
  let worst = 0;
  for (const { instance, machine } of placed) {
    const service = await serviceOf(instance, client);
    const command = [
      ...(reach.sudo === true ? ["sudo"] : []),
      "journalctl",
      `--unit=${service}`,
      "--no-pager",
      `--lines=${lines}`,
      `--output=${output}`,
      ...(follow === true ? ["--follow"] : []),
    ];
    worst = Math.max(
      worst,
      await runOnMachine(keel, machine, { command, terminal: false, port: reach.port }),
    );
  }
  return worst;
}

/** All that one run wrote, unless the number of lines is given. */
async function showRun(
  keel: Invocation,
  words: readonly string[],
  options: JournalOptions & { readonly reach: Reach },
): Promise<void> {
  const { run: which = "last", follow, output = "", reach } = options;
  if (follow === true || journalModes.has(output)) {
    throw new KeelError("KEEL-104", "--run goes with neither --follow nor journalctl’s own formats", {
      hint: "Leave --run out: then the journal of the unit is shown, whatever the run.",
    });
  }
  const query = queryFor({ ...options, lines: options.lines ?? "all" }, keel.clock.wall());
  const { streams, width } = await openRunJournal(keel, await keel.daemon(), { words, which, query, reach });
  for await (const entry of mergeOrdered(streams)) {
    if (keel.signal.aborted) return;
    keel.output.event("entry", entryDocument(entry), () => entryText(entry, width, keel));
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
