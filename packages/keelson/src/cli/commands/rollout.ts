import { KeelError } from "../../base/errors.ts";
import type { RolloutView } from "../../api/wire/rollout.ts";
import type { ChangeOptions } from "../change.ts";
import { change, followChange } from "../change.ts";
import { formatAge } from "../duration.ts";
import type { Register } from "../invocation.ts";
import { fieldList, withGuards, withList, withWait, waits } from "../options.ts";
import type { ListOptions } from "../options.ts";
import { rolloutWords } from "../rollout-text.ts";
import { chooseColumns, renderTable } from "../table.ts";
import type { Column } from "../table.ts";
import { recordName } from "../unit-arguments.ts";

const columns = (now: number): readonly Column<RolloutView>[] => [
  { name: "unit", cell: (rollout) => rollout.unit },
  { name: "state", cell: (rollout) => rollout.state },
  { name: "versions", cell: ({ from, to }) => `${from.number} → ${to.number}` },
  { name: "updated", cell: ({ updated, total }) => `${updated}/${total}` },
  { name: "since", cell: (rollout) => formatAge(rollout.started, now) },
  { name: "operation", cell: (rollout) => rollout.operation },
  { name: "what", cell: (rollout) => rolloutWords({ ...rollout, batch: rollout.batch.length }) },
];

const standard = ["unit", "state", "versions", "updated", "since", "what"];

export const register: Register = (program, act) => {
  const group = program
    .command("rollout")
    .description("Rollouts: how far new versions have come, and to pause, resume or stop them.");
  const status = group
    .command("status")
    .argument("[unit]", "a unit of the cluster; all if absent")
    .description("Show the latest rollout of a unit, or of all units.");
  withList(
    status,
    columns(0).map(({ name }) => name),
  );
  act<ListOptions>(status, async (keel, [word], options) => {
    const client = await keel.daemon();
    const unit = word === undefined ? undefined : recordName(word, await client.snapshot());
    const all = await client.rollouts();
    const rollouts = unit === undefined ? all : all.filter((rollout) => rollout.unit === unit);
    if (unit !== undefined && rollouts.length === 0) {
      throw new KeelError("KEEL-541", `${unit} has no rollout`, {
        hint: `its file was not replaced since it runs; \`${keel.command(`versions ${unit}`)}\``,
      });
    }
    const chosen = chooseColumns(columns(keel.clock.wall()), fieldList(options), standard);
    keel.output.list({
      name: "rollouts",
      type: "rollout",
      items: rollouts.map((rollout) => ({ ...rollout })),
      text: () => renderTable(chosen, rollouts, options),
    });
  });

  for (const [action, description] of actions) {
    const command = group
      .command(action)
      .argument("<unit>", "a unit of the cluster")
      .description(description);
    act<ChangeOptions>(withGuards(withWait(command)), async (keel, [word = ""], options) => {
      const client = await keel.daemon();
      const unit = recordName(word, await client.snapshot());
      const code = await change(keel, { kind: "rollout", unit, action }, options);
      if (action !== "resume" || options.dryRun === true || !waits(options)) return code;
      const rollout = (await client.rollouts()).find((one) => one.unit === unit);
      return rollout === undefined ? code : followChange(keel, rollout.operation, options);
    });
  }
};

const actions = [
  ["pause", "Begin no further batch; what is updated stays updated."],
  ["resume", "Go on with a rollout that was paused or stopped; what failed is tried again."],
  ["abort", "Stop a rollout for good where it is: some instances keep the version before."],
] as const;
