import { useMemo } from "react";
import type { Instance, Unit } from "../api/records.ts";
import { DataTable } from "../element/data-table.tsx";
import { UnitRow } from "./unit-row.tsx";

const columns = ["Unit", "State", "Healthy", "Where"];
const none: readonly Instance[] = [];

export function UnitTable({
  units,
  instances,
}: {
  readonly units: readonly Unit[];
  readonly instances: readonly Instance[];
}) {
  const byUnit = useMemo(
    () =>
      Map.groupBy(
        instances.filter(({ companion }) => !companion),
        ({ unit }) => unit,
      ),
    [instances],
  );
  return (
    <DataTable label="Units" columns={columns}>
      {units.map((unit) => (
        <UnitRow key={unit.name} unit={unit} instances={byUnit.get(unit.name) ?? none} />
      ))}
    </DataTable>
  );
}
