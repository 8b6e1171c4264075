import { KeelError } from "../../../base/errors.ts";
import { readOsFacts } from "../../../host/os-facts.ts";
import { settleAccounts, surveyEtc } from "../../../updater/etc/etc.ts";
import type { SurveyEntry } from "../../../updater/etc/survey.ts";
import type { Register } from "../../invocation.ts";
import { renderTable } from "../../table.ts";
import type { Column } from "../../table.ts";

interface Options {
  readonly settle?: boolean;
  readonly all?: boolean;
}

export const registerEtc: Register = (group, act) => {
  const etc = group
    .command("etc")
    .option("-a, --all", "what every machine has of its own, too")
    .option("--settle", "first add the image’s accounts that the machine lacks")
    .description("List what this machine has of its own in /etc, and what changed below it.");
  act<Options>(etc, async (keel, _args, { settle = false, all = false }) => {
    if ((await readOsFacts()) === undefined)
      throw new KeelError("KEEL-861", "this machine was not started from an image");
    const changed = settle ? await settleAccounts() : [];
    const { entries } = await surveyEtc();
    const items = entries.filter(({ owner, changedBelow }) => all || owner !== "machine" || changedBelow);
    keel.output.list({
      name: "files",
      type: "file",
      items: items.map((entry) => ({ ...entry })),
      more: { accountsAddedTo: changed },
      text: () =>
        items.length === 0 ? "Nothing but what every machine has of its own.\n" : renderTable(columns, items),
    });
  });
};

const columns: readonly Column<SurveyEntry>[] = [
  { name: "path", cell: ({ path, kind }) => `/etc/${path}${kind === "removed" ? " (removed)" : ""}` },
  { name: "owner", cell: ({ owner }) => owner },
  {
    name: "image",
    cell: ({ changedBelow, covers }) => (changedBelow ? "changed since" : covers ? "has one" : ""),
  },
  { name: "source", cell: ({ source }) => source ?? "" },
];
