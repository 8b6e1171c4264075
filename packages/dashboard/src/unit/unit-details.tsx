import type { Instance, Unit } from "../api/records.ts";
import { CommandLine } from "../element/command-line.tsx";
import { InstanceTable } from "./instance-table.tsx";
import { UnitReasons } from "./unit-reasons.tsx";
import { isAsDesired } from "./unit-words.ts";
import "./unit-details.css";

/** What is known of a unit beyond its row, and where to look further. */
export function UnitDetails({
  unit,
  instances,
}: {
  readonly unit: Unit;
  readonly instances: readonly Instance[];
}) {
  return (
    <>
      {instances.length > 0 ? <InstanceTable unit={unit.name} instances={instances} /> : null}
      <UnitReasons unit={unit.name} version={versionOf(instances)} />
      <p className="unit-commands">
        {commandsFor(unit, instances).map((command) => (
          <CommandLine key={command} command={command} />
        ))}
      </p>
    </>
  );
}

/** Changes when there is something new to be told. */
const versionOf = (instances: readonly Instance[]): string =>
  instances.map(({ key, state, since, placed }) => `${key} ${state} ${since} ${placed}`).join();

function commandsFor(unit: Unit, instances: readonly Instance[]): string[] {
  if (unit.state === "inactive") return [`keel start ${unit.name}`, `keel cat ${unit.name}`];
  const worst = instances.find(({ state }) => state === "failed" || state === "unhealthy") ?? instances[0];
  const journal = worst?.machine ? [`keel journal ${worst.name}`] : [];
  return isAsDesired(unit) ? [...journal, `keel cat ${unit.name}`] : [`keel why ${unit.name}`, ...journal];
}
