import type { Instance } from "../api/records.ts";
import { Ago } from "../element/ago.tsx";
import { Cell, DataTable, HeadCell } from "../element/data-table.tsx";
import { StateMark } from "../element/state-mark.tsx";
import { Addresses } from "./addresses.tsx";
import { instanceLook, stepWords } from "./unit-words.ts";

const columns = ["Instance", "State", "Machine", "Address", "Since", "Why there"];

export function InstanceTable({
  unit,
  instances,
}: {
  readonly unit: string;
  readonly instances: readonly Instance[];
}) {
  return (
    <DataTable label={`Instances of ${unit}`} columns={columns}>
      {instances.map((instance) => (
        <InstanceRow key={instance.key} instance={instance} />
      ))}
    </DataTable>
  );
}

function InstanceRow({ instance }: { readonly instance: Instance }) {
  const { tone, word } = instanceLook(instance.state);
  const steps = stepWords(instance);
  return (
    <tr role="row" data-instance={instance.name}>
      <HeadCell>{instance.name}</HeadCell>
      <Cell label="State">
        <span className="unit-state">
          <StateMark tone={tone} word={word} />
          {instance.reason === "" ? null : <span className="reason">{instance.reason}</span>}
          {instance.failures === null || instance.failures.count < 2 ? null : (
            <span className="reason">failed {instance.failures.count} times here</span>
          )}
        </span>
      </Cell>
      <Cell label="Machine">{instance.machineName ?? "–"}</Cell>
      <Cell label="Address">
        <Addresses addresses={instance.addresses} of={instance.name} />
      </Cell>
      <Cell label="Since">{instance.since === null ? "–" : <Ago at={instance.since} />}</Cell>
      <Cell label="Why there">
        {instance.because === "" && steps === "" ? null : (
          <span className="unit-state">
            {instance.because}
            {steps === "" ? null : <span className="reason">{steps}</span>}
          </span>
        )}
      </Cell>
    </tr>
  );
}
