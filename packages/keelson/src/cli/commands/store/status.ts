import type { StoreMemberView, StoreStatusView } from "../../../api/wire/store.ts";
import { exitCode } from "../../../base/errors.ts";
import { formatBytes } from "../../../local/progress.ts";
import type { Register } from "../../invocation.ts";
import { paintColumn, renderTable } from "../../table.ts";
import type { Column } from "../../table.ts";

const columns: readonly Column<StoreMemberView>[] = [
  { name: "member", cell: ({ name, id }) => name || id },
  { name: "machine", cell: ({ machineName }) => machineName },
  { name: "role", cell: ({ role }) => role },
  { name: "state", cell: ({ healthy, reason }) => (healthy ? "healthy" : reason || "unhealthy") },
  { name: "lag", cell: ({ lag }) => (lag === null ? "" : String(lag)) },
  {
    name: "size",
    cell: ({ dbInUseBytes, dbSizeBytes, quotaBytes }) =>
      dbSizeBytes === 0
        ? ""
        : `${formatBytes(dbInUseBytes)}${quotaBytes > 0 ? ` of ${formatBytes(quotaBytes)}` : ""}`,
  },
  { name: "alarms", cell: ({ alarms }) => alarms.join(",") },
  { name: "version", cell: ({ version }) => version },
  { name: "endpoint", cell: ({ endpoint }) => endpoint },
];

export const registerStatus: Register = (group, act) => {
  const status = group
    .command("status")
    .description(
      "Say how the store is: members, health, lag, size, alarms. Ends with 1 when a member is missing or has an alarm.",
    );
  act(status, async (keel) => {
    const store = await (await keel.daemon()).store.status();
    keel.output.document({ ...store }, () => storeText(store, keel.paint));
    return isWell(store) ? exitCode.done : exitCode.failed;
  });
};

const isWell = ({ healthy, size, members }: StoreStatusView): boolean =>
  healthy >= size && members.every(({ alarms }) => alarms.length === 0);

function storeText(store: StoreStatusView, paint: Parameters<typeof paintColumn>[2]): string {
  const { kind, members, healthy, size, revision, words } = store;
  const place =
    kind === "embedded"
      ? `the store is embedded in ${members[0]?.machineName || "one keeld"}`
      : `the store is an etcd cluster: ${healthy} of ${size} members are healthy`;
  const table = renderTable(paintColumn(columns, "state", paint), members);
  const rest = words.map((line) => `${line}\n`).join("");
  return `${place}, revision ${revision}\n${table}${rest}`;
}
