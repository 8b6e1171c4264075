import { Option } from "commander";
import { KeelError } from "../../../base/errors.ts";
import type { PastSystemChange } from "../../../api/wire/system-update.ts";
import { formatBytes } from "../../../local/progress.ts";
import { openThisMachine } from "../../../updater/this-machine.ts";
import { formatMoment } from "../../duration.ts";
import type { Invocation, Register } from "../../invocation.ts";
import { renderTable } from "../../table.ts";
import type { Column } from "../../table.ts";
import { systemOf } from "./machines/status.ts";

const columns: readonly Column<PastSystemChange>[] = [
  { name: "when", cell: ({ at }) => formatMoment(at) },
  { name: "what", cell: ({ kind }) => kind },
  { name: "version", cell: ({ version }) => version },
  { name: "from", cell: ({ from }) => from ?? "" },
  { name: "how", cell: ({ how }) => how ?? "" },
  { name: "fetched", cell: ({ bytes }) => (bytes === undefined ? "" : formatBytes(bytes)) },
  { name: "seconds", cell: ({ seconds }) => (seconds === undefined ? "" : String(seconds)) },
  { name: "why", cell: ({ why }) => why ?? "" },
];

interface Options {
  readonly lines?: string;
  readonly legend?: boolean;
  readonly machine?: string;
}

export const registerHistory: Register = (group, act) => {
  const history = group
    .command("history")
    .addOption(new Option("-n, --lines <number>", "so many of the latest (20)"))
    .addOption(new Option("--no-legend", "leave the line of column names out"))
    .option("--machine <name>", "of this machine of the cluster: what it has told, its latest 20")
    .description("List a machine’s updates and ways back, the oldest first: of the one that this runs on.");
  act<Options>(history, async (keel, _args, options) => {
    const { lines = "20", machine } = options;
    if (!/^[1-9]\d{0,4}$/.test(lines))
      throw new KeelError("KEEL-104", `--lines ${lines}: no number of lines`);
    const found = machine === undefined ? await ownHistory() : await historyOf(keel, machine);
    const events = found.slice(-Number(lines));
    keel.output.list({
      name: "events",
      type: "event",
      items: events.map((event) => ({ ...event })),
      text: () => renderTable(columns, events, options),
    });
  });
};

async function ownHistory(): Promise<readonly PastSystemChange[]> {
  const { records } = await openThisMachine();
  return records.history();
}

/** Throws KEEL-502 for a machine that is not there, and KEEL-801 for one without slots. */
async function historyOf(keel: Invocation, name: string): Promise<readonly PastSystemChange[]> {
  const { machines } = await systemOf(keel, name);
  const system = machines[0]?.system ?? undefined;
  if (system === undefined)
    throw new KeelError("KEEL-801", `${name} was not started from an image with two slots`);
  return system.history;
}
