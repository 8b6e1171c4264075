import { Option } from "commander";
import { KeelError } from "../../../base/errors.ts";
import { formatBytes } from "../../../local/progress.ts";
import type { HistoryEvent } from "../../../updater/records.ts";
import { openThisMachine } from "../../../updater/this-machine.ts";
import { formatMoment } from "../../duration.ts";
import type { Register } from "../../invocation.ts";
import { renderTable } from "../../table.ts";
import type { Column } from "../../table.ts";

const columns: readonly Column<HistoryEvent>[] = [
  { name: "when", cell: ({ at }) => formatMoment(at) },
  { name: "what", cell: ({ kind }) => kind },
  { name: "version", cell: ({ version }) => version },
  { name: "from", cell: ({ from }) => from ?? "" },
  { name: "how", cell: ({ how }) => how ?? "" },
  { name: "fetched", cell: ({ bytes }) => (bytes === undefined ? "" : formatBytes(bytes)) },
  { name: "seconds", cell: ({ seconds }) => (seconds === undefined ? "" : String(seconds)) },
  { name: "why", cell: ({ why }) => why ?? "" },
];

export const registerHistory: Register = (group, act) => {
  const history = group
    .command("history")
    .addOption(new Option("-n, --lines <number>", "so many of the latest (20)"))
    .addOption(new Option("--no-legend", "leave the line of column names out"))
    .description("List this machine’s updates and ways back, the oldest first.");
  act<{ readonly lines?: string; readonly legend?: boolean }>(history, async (keel, _args, options) => {
    const { lines = "20" } = options;
    if (!/^[1-9]\d{0,4}$/.test(lines))
      throw new KeelError("KEEL-104", `--lines ${lines}: no number of lines`);
    const { records } = await openThisMachine();
    const events = (await records.history()).slice(-Number(lines));
    keel.output.list({
      name: "events",
      type: "event",
      items: events.map((event) => ({ ...event })),
      text: () => renderTable(columns, events, options),
    });
  });
};
