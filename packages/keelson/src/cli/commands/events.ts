import { harmless } from "../colour.ts";
import type { SnapshotView } from "../../api/wire/snapshot.ts";
import { KeelError } from "../../base/errors.ts";
import { parseDuration } from "../duration.ts";
import { eventText, historyText } from "../event-text.ts";
import type { Invocation, Register } from "../invocation.ts";
import { resolveUnits } from "../unit-arguments.ts";

interface Options {
  readonly since?: string;
  readonly follow?: boolean;
}

export const register: Register = (program, act) => {
  const command = program
    .command("events")
    .argument("[name]", "a unit, an instance or a machine; everything if left out")
    .option("--since <span>", "how far back: 10m, 2h (as far as the store’s history goes)")
    .option("-f, --follow", "go on with what happens from now on")
    .description(
      "Tell what happened, in order: what was asked for, what the leader and machines did, and why.",
    );
  act<Options>(command, async (keel, [word], { since, follow = false }) => {
    const client = await keel.daemon();
    const about = word === undefined ? {} : aboutWhat(word, await client.snapshot());
    const from = since === undefined ? undefined : keel.clock.wall() - parseDuration(since, "--since");
    const lines = client.history({ ...about, since: from, follow });
    const held: Record<string, unknown>[] = [];
    for await (const line of lines) {
      if ("cluster" in line) tellStart(keel, line, from);
      else if (keel.output.format === "json" && !follow) held.push({ ...line });
      else keel.output.event("event", { ...line }, () => eventText(line, keel.paint));
    }
    if (keel.output.format === "json" && !follow)
      keel.output.list({ name: "events", type: "event", items: held, text: () => "" });
  });
};

type Start = Parameters<typeof historyText>[0];

/** How far back it goes, beside what is asked for: never in silence. */
function tellStart(keel: Invocation, start: Start, from: number | undefined): void {
  if (keel.output.format !== "text") return;
  if (from !== undefined && start.firstAt !== null && start.firstAt <= from) return;
  keel.terminal.err(harmless(historyText(start)));
}

/** A machine by its name or identity, or a unit as every command knows it. @throws KeelError KEEL-501 */
function aboutWhat(
  word: string,
  snapshot: SnapshotView,
): { readonly unit?: string; readonly machine?: string } {
  const machine = snapshot.machines.find(({ id, name }) => name === word || id === word);
  if (machine !== undefined) return { machine: machine.id };
  try {
    const [unit = word, second] = resolveUnits([word], snapshot);
    if (second === undefined) return { unit };
  } catch (error) {
    // What is destroyed has its events still.
    if (!(error instanceof KeelError) || !word.includes(".")) throw error;
    return { unit: word };
  }
  throw new KeelError("KEEL-104", `"${word}" fits several units`, { hint: "name one of them" });
}
