import type { OperationSummary } from "../../api/wire/operation.ts";
import type { ChangeOptions } from "../change.ts";
import { change } from "../change.ts";
import { formatAge, formatDuration, formatMoment } from "../duration.ts";
import type { Register } from "../invocation.ts";
import { operationId } from "../operation-id.ts";
import { fieldList, withGuards, withList, withWait } from "../options.ts";
import type { ListOptions } from "../options.ts";
import { changeWords, impactSentence } from "../plan-text.ts";
import { alignColumns, chooseColumns, renderTable } from "../table.ts";
import type { Column } from "../table.ts";

const columns = (now: number): readonly Column<OperationSummary>[] => [
  { name: "operation", cell: (operation) => operation.id },
  { name: "when", cell: (operation) => formatAge(operation.at, now) },
  { name: "who", cell: (operation) => operation.who },
  { name: "via", cell: (operation) => operation.via },
  { name: "what", cell: (operation) => operation.summary },
  { name: "units", cell: (operation) => String(operation.units) },
  { name: "impact", cell: (operation) => `${Math.round(operation.impact.percent)} %` },
  { name: "undo", cell: (operation) => undoWords(operation, now) },
];

const standard = ["operation", "when", "who", "what", "units", "undo"];

export const register: Register = (program, act) => {
  const group = program
    .command("op")
    .description("Operations: every change that was made, and how to take it back.");
  const list = group
    .command("list")
    .alias("ls")
    .description("List the operations that the cluster remembers, newest first.");
  withList(
    list,
    columns(0).map((column) => column.name),
  );
  act<ListOptions>(list, async (keel, _args, options) => {
    const operations = (await (await keel.daemon()).operations()).toSorted(
      (a, b) => b.at - a.at || (a.id < b.id ? 1 : -1),
    );
    const chosen = chooseColumns(columns(keel.clock.wall()), fieldList(options), standard);
    keel.output.list({
      name: "operations",
      type: "operation",
      items: operations.map((operation) => ({ ...operation })),
      text: () => renderTable(chosen, operations, options),
    });
  });

  const show = group
    .command("show")
    .argument("<operation>", "an operation or the beginning of its identity")
    .description("Show what an operation changed, and how far it has come.");
  act(show, async (keel, [word = ""]) => {
    const client = await keel.daemon();
    const operation = await client.operation(await operationId(client, word));
    const progress = await firstOf(client.progress(operation.id));
    keel.output.document({ operation, progress: progress ?? null }, () => {
      const changes = operation.changes.map((item) => {
        const { mark, words } = changeWords(item);
        return [`${mark} ${item.unit}`, words];
      });
      const left = Math.max(0, operation.expires - keel.clock.wall());
      const undone = operation.undoneBy ?? null;
      const undo =
        undone !== null
          ? `undone by ${undone}\n`
          : operation.impact.reversible === "no"
            ? ""
            : `undo: ${keel.command(`undo ${operation.id}`)} (for another ${formatDuration(left)})\n`;
      const items =
        progress?.items.map((item) =>
          [item.instance, item.state, item.reason].filter((cell) => cell !== ""),
        ) ?? [];
      return [
        `${operation.id}: ${operation.summary}\n`,
        `by ${operation.who} via ${operation.via}, ${formatMoment(operation.at)}\n`,
        alignColumns(changes),
        `${impactSentence(operation)}\n`,
        progress ? `Outcome: ${progress.outcome}\n${alignColumns(items)}` : "",
        undo,
      ].join("");
    });
  });

  const purge = group
    .command("purge")
    .description("Forget what undo keeps: operations, and unit files that only they hold. Cannot be undone.");
  act<ChangeOptions>(withGuards(withWait(purge)), (keel, _args, options) =>
    change(keel, { kind: "purge" }, options),
  );
};

function undoWords(operation: OperationSummary, now: number): string {
  if (operation.undoneBy !== null) return "undone";
  if (operation.impact.reversible === "no") return "no";
  return operation.expires <= now ? "expired" : `for ${formatDuration(operation.expires - now)}`;
}

async function firstOf<T>(items: AsyncGenerator<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}
