// What `keel up` prints at its end: where everything is, and what to try next.
import type { InstanceView } from "../../api/wire/instance.ts";
import type { MachineView } from "../../api/wire/machine.ts";
import type { Paint } from "../colour.ts";
import { alignColumns } from "../table.ts";
import { naturally } from "../unit-filter.ts";

export interface UpFacts {
  readonly cluster: string;
  readonly machines: readonly MachineView[];
  readonly instances: readonly InstanceView[];
  readonly dashboard: string;
  readonly made: readonly string[];
  readonly hindered: readonly string[];
  readonly took: string;
  /** A command line to show. */
  readonly command: (words: string) => string;
}

export function upText(facts: UpFacts, paint: Paint): string {
  const { machines, instances, cluster } = facts;
  const first =
    facts.made.length === 0
      ? `The cluster ${cluster} runs already; nothing was missing.`
      : `The cluster ${cluster} is up, in ${facts.took}.`;
  const sections = [
    `${paint("bold", first)}\n`,
    alignColumns(
      [...machines]
        .sort((a, b) => naturally(a.name, b.name))
        .map((machine) =>
          [machine.name, machine.address, metadataText(machine), machine.leader ? "leads" : ""].filter(
            (cell) => cell !== "",
          ),
        ),
    ),
    facts.hindered.length === 0
      ? ""
      : `${paint("yellow", "note:")} ${facts.hindered.join(", ")}: \`${facts.command("machine resume NAME")}\`, or \`heal\`\n`,
    exampleText(instances),
    `Dashboard: ${facts.dashboard}\n`,
    tryText(facts),
  ];
  return sections.filter((section) => section !== "").join("\n");
}

function exampleText(instances: readonly InstanceView[]): string {
  const hello = instances.filter(
    (instance) => instance.unit === "hello@.container" && instance.addresses.length > 0,
  );
  if (hello.length === 0) return "";
  const lines = hello
    .toSorted((a, b) => naturally(a.name, b.name))
    .map((instance) => [
      instance.name,
      `on ${instance.machineName ?? ""}`,
      `http://${instance.addresses[0] ?? ""}/`,
    ]);
  return `The example, a page that says where it runs:\n${alignColumns(lines)}`;
}

function tryText({ machines, instances, command }: UpFacts): string {
  const victim = machines.find((machine) => !machine.leader)?.name ?? "m2";
  const address = instances.find((instance) => instance.addresses.length > 0)?.addresses[0];
  const lines = [
    ...(address === undefined ? [] : [[`curl http://${address}/`, "one of the replicas"]]),
    [command("list-units"), "what runs where"],
    [command(`machine kill ${victim}`), "pull a plug, and look again"],
    [command("run localhost/hello:latest -n 2 -p 8080 --name web"), "something of your own"],
    [command("down"), "and nothing is left"],
  ];
  return `Try next:\n${alignColumns(lines.map(([line = "", what = ""]) => [`  ${line}`, what]))}`;
}

function metadataText(machine: MachineView): string {
  return Object.entries(machine.metadata)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}
