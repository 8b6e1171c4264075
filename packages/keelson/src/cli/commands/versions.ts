import type { VersionView } from "../../api/wire/rollout.ts";
import { formatAge } from "../duration.ts";
import type { Register } from "../invocation.ts";
import { fieldList, withList } from "../options.ts";
import type { ListOptions } from "../options.ts";
import { chooseColumns, renderTable, shortHash } from "../table.ts";
import type { Column } from "../table.ts";
import { recordName } from "../unit-arguments.ts";

const columns = (now: number): readonly Column<VersionView>[] => [
  { name: "version", cell: (version) => String(version.number) },
  { name: "when", cell: (version) => formatAge(version.at, now) },
  { name: "who", cell: (version) => version.who },
  { name: "operation", cell: (version) => version.operation ?? "-" },
  { name: "hash", cell: (version, look) => shortHash(version.hash, look) },
  { name: "instances", cell: (version) => String(version.instances) },
  { name: "state", cell: stateOf },
];

const standard = ["version", "when", "who", "operation", "instances", "state"];

export const register: Register = (program, act) => {
  const command = program
    .command("versions")
    .argument("<unit>", "a unit of the cluster")
    .description("List the versions of a unit’s file that are kept, the newest first.");
  withList(
    command,
    columns(0).map(({ name }) => name),
  );
  act<ListOptions>(command, async (keel, [word = ""], options) => {
    const client = await keel.daemon();
    const unit = recordName(word, await client.snapshot());
    const versions = await client.versions(unit);
    const chosen = chooseColumns(columns(keel.clock.wall()), fieldList(options), standard);
    keel.output.list({
      name: "versions",
      type: "version",
      items: versions.map((version) => ({ unit, ...version })),
      text: () => renderTable(chosen, versions, options),
    });
  });
};

function stateOf({ current, rolling, failed }: VersionView): string {
  const words = [current ? "current" : "", rolling ? "rolling" : ""].filter((word) => word !== "");
  if (failed !== null) words.push(`failed: ${failed}`);
  return words.length === 0 ? "-" : words.join(", ");
}
