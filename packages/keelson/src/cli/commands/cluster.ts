import { LocalCluster } from "../../local/cluster.ts";
import type { Register } from "../invocation.ts";
import { localClusters } from "../local-cluster/take-down.ts";
import { withList, fieldList } from "../options.ts";
import type { ListOptions } from "../options.ts";
import { chooseColumns, renderTable } from "../table.ts";
import type { Column } from "../table.ts";

interface ClusterRow {
  readonly cluster: string;
  readonly machines: number;
  readonly running: number;
  readonly subnet: string;
  readonly daemon: "runs" | "does not run";
  readonly dashboard: string;
}

const columns: readonly Column<ClusterRow>[] = [
  { name: "cluster", cell: (row) => row.cluster },
  { name: "machines", cell: (row) => `${row.running}/${row.machines}` },
  { name: "keeld", cell: (row) => row.daemon },
  { name: "subnet", cell: (row) => row.subnet },
  { name: "dashboard", cell: (row) => row.dashboard },
];

export const register: Register = (program, act) => {
  const group = program.command("cluster").description("Local clusters on this host.");
  const list = group.command("list").alias("ls").description("List the local clusters of this host.");
  withList(
    list,
    columns.map((column) => column.name),
  );
  act<ListOptions>(list, async ({ output }, _args, options) => {
    const rows = await Promise.all((await localClusters()).map(rowOf));
    const chosen = chooseColumns(
      columns,
      fieldList(options),
      columns.map((column) => column.name),
    );
    output.list({
      name: "clusters",
      type: "cluster",
      items: rows.map((row) => ({ ...row })),
      text: () => renderTable(chosen, rows, options),
    });
  });
};

async function rowOf(name: string): Promise<ClusterRow> {
  const cluster = new LocalCluster(name);
  const record = await cluster.record().catch(() => undefined);
  const machines = record === undefined ? [] : await (await cluster.machines()).list();
  const daemon = await cluster.hostProcess("keeld");
  const port = record?.notes.dashboardPort;
  return {
    cluster: name,
    machines: machines.length,
    running: machines.filter((machine) => machine.state === "running").length,
    subnet: record?.subnet ?? "",
    daemon: daemon.length > 0 ? "runs" : "does not run",
    dashboard: port === undefined ? "" : `http://127.0.0.1:${port}/`,
  };
}
