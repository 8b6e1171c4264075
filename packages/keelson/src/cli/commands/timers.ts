import type { TimerView } from "../../api/wire/timer.ts";
import { formatAge, formatDuration, formatMoment } from "../duration.ts";
import type { Register } from "../invocation.ts";
import { fieldList, withList } from "../options.ts";
import type { ListOptions } from "../options.ts";
import { chooseColumns, renderTable } from "../table.ts";
import type { Column } from "../table.ts";
import { refuseUnknownNames, unitFilter } from "../unit-filter.ts";

const columns = (now: number): readonly Column<TimerView>[] => [
  { name: "timer", cell: (timer) => timer.name },
  { name: "next", cell: (timer) => (timer.next === null ? "never" : formatMoment(timer.next)) },
  {
    name: "left",
    cell: (timer) => (timer.next === null ? "" : formatDuration(Math.max(0, timer.next - now))),
  },
  { name: "last", cell: (timer) => (timer.last === null ? "never" : formatAge(timer.last, now)) },
  { name: "starts", cell: (timer) => timer.target },
  { name: "outcome", cell: (timer) => timer.outcome },
  { name: "reason", cell: (timer) => timer.reason },
  { name: "due", cell: (timer) => (timer.due === null ? "" : formatMoment(timer.due)) },
  { name: "activated", cell: (timer) => (timer.activated === null ? "" : formatAge(timer.activated, now)) },
];

const standard = ["timer", "next", "left", "last", "starts", "outcome", "reason"];

export const register: Register = (program, act) => {
  const command = program
    .command("timers")
    .argument("[timers...]", "only these timers, or patterns")
    .description("List the timers that the cluster fires: when next, when last, what they start.");
  withList(
    command,
    columns(0).map((column) => column.name),
  );
  act<ListOptions>(command, async ({ daemon, output, clock }, args, options) => {
    const { revision, timers } = await (await daemon()).timers();
    refuseUnknownNames(args, timers);
    const wanted = timers.filter(unitFilter(args));
    const chosen = chooseColumns(columns(clock.wall()), fieldList(options), standard);
    output.list({
      name: "timers",
      type: "timer",
      items: wanted.map((timer) => ({ ...timer })),
      more: { revision },
      text: () => renderTable(chosen, wanted, options),
    });
  });
};
