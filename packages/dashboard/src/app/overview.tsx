import type { Cluster } from "../api/records.ts";
import { Section } from "../element/section.tsx";
import { MachineTable } from "../machine/machine-table.tsx";
import { OperationList } from "../operation/operation-list.tsx";
import { FirstSteps } from "../start/first-steps.tsx";
import { UnitTable } from "../unit/unit-table.tsx";

/** Everything of the cluster on one page. */
export function Overview({ cluster, now }: { readonly cluster: Cluster; readonly now: number }) {
  const { machines, units, instances, operations } = cluster;
  return (
    <>
      {units.length === 0 && machines.length > 0 ? (
        <Section title="Start your first unit">
          <FirstSteps />
        </Section>
      ) : null}
      {machines.length > 0 ? (
        <Section title="Machines" note={machines.length}>
          <MachineTable machines={machines} />
        </Section>
      ) : null}
      {units.length > 0 ? (
        <Section title="Units" note={units.length}>
          <UnitTable units={units} instances={instances} />
        </Section>
      ) : null}
      {operations.length > 0 ? (
        <Section title="Recent changes" note="each can be undone for 72 hours">
          <OperationList operations={operations} now={now} />
        </Section>
      ) : null}
    </>
  );
}
