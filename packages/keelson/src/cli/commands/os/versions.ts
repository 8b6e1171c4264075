import { listedVersions } from "../../../updater/choose-release.ts";
import { openSource, openThisMachine } from "../../../updater/this-machine.ts";
import { readSystemStatus } from "../../../updater/system-status.ts";
import { Updater } from "../../../updater/updater.ts";
import type { Register } from "../../invocation.ts";
import { renderTable } from "../../table.ts";

interface Row {
  readonly version: string;
  readonly where: string;
  readonly state: string;
}

export const registerVersions: Register = (group, act) => {
  const versions = group
    .command("versions")
    .option("--from <place>", "a folder of releases, whose versions are listed as well")
    .option("--no-legend", "leave the line of column names out")
    .description("List the versions in this machine’s slots, those that failed here, and those of a folder.");
  act<{ readonly from?: string; readonly legend?: boolean }>(versions, async (keel, _args, options) => {
    const machine = await openThisMachine();
    const { running, other, next, failed } = await readSystemStatus(machine);
    const rows: Row[] = [{ version: running.version, where: `slot ${running.slot}`, state: "running" }];
    if (other.version !== undefined) {
      const state =
        other.version === next.version ? "starts next" : other.tries?.left === 0 ? "put aside" : "kept";
      rows.push({ version: other.version, where: `slot ${other.slot}`, state });
    }
    if (options.from !== undefined) {
      const { source } = await openSource(options.from, { cwd: keel.terminal.cwd, clock: keel.clock });
      const about = await new Updater(machine).about(source, keel.signal);
      for (const version of await listedVersions(source, about))
        if (!rows.some((row) => row.version === version))
          rows.push({ version, where: source.place, state: "on offer" });
    }
    const marked = rows.map((row) =>
      failed.some(({ version }) => version === row.version)
        ? { ...row, state: `${row.state}, failed here` }
        : row,
    );
    keel.output.list({
      name: "versions",
      type: "version",
      items: marked.map((row) => ({ ...row })),
      text: () =>
        renderTable(
          [
            { name: "version", cell: ({ version }: Row) => version },
            { name: "where", cell: ({ where }: Row) => where },
            { name: "state", cell: ({ state }: Row) => state },
          ],
          marked,
          options,
        ),
    });
  });
};
