import { useMemo } from "react";
import { decodeSystems } from "../api/decode.ts";
import type { Machine, MachineSystem, Systems } from "../api/records.ts";
import { Ago } from "../element/ago.tsx";
import { Cell, DataTable, HeadCell } from "../element/data-table.tsx";
import { StateMark } from "../element/state-mark.tsx";
import { useAnswer } from "../live/use-answer.ts";
import { slotLines } from "./slot-words.ts";
import { machineLook } from "./machine-words.ts";
import "./machine-table.css";

const columns = ["Machine", "State", "Address", "System", "Units", "Since"];

/** Between two questions about systems, where machines have slots: an update of them is no change of the cluster. */
const askAgainMs = 5000;
const haveSlots = ({ machines }: Systems): boolean => machines.some(({ slots }) => slots !== null);

export function MachineTable({ machines }: { readonly machines: readonly Machine[] }) {
  const version = useMemo(
    () => machines.map(({ id, state, os, since }) => `${id}${state}${os?.version}${since}`).join(),
    [machines],
  );
  const { value: systems } = useAnswer("/v1/system", decodeSystems, {
    version,
    everyMs: askAgainMs,
    isOpen: haveSlots,
  });
  const systemOf = (id: string): MachineSystem | undefined =>
    systems?.machines.find(({ machine }) => machine === id);
  return (
    <DataTable label="Machines" columns={columns}>
      {machines.map((machine) => (
        <MachineRow
          key={machine.id}
          machine={machine}
          lines={slotLines(systemOf(machine.id), systems?.updateTo ?? null)}
        />
      ))}
    </DataTable>
  );
}

function MachineRow({ machine, lines }: { readonly machine: Machine; readonly lines: readonly string[] }) {
  const isUp = machine.state === "up";
  return (
    <tr role="row" data-machine={machine.name}>
      <HeadCell>
        {machine.name}
        {machine.leader ? <span className="leader-tag">leader</span> : null}
      </HeadCell>
      <Cell label="State">
        <span className="unit-state">
          <StateMark {...machineLook(machine)} />
          {machine.drain === null || machine.drain.reason === "" ? null : (
            <span className="reason">{machine.drain.reason}</span>
          )}
        </span>
      </Cell>
      <Cell label="Address">
        <span className="mono">{machine.address}</span>
      </Cell>
      <Cell label="System">
        <span className="unit-state">
          <span
            title={
              machine.os === null ? undefined : `Kernel ${machine.os.kernel}, keeld ${machine.keeldVersion}`
            }
          >
            {systemWords(machine)}
          </span>
          {lines.map((line) => (
            <span className="reason" key={line}>
              {line}
            </span>
          ))}
        </span>
      </Cell>
      <Cell label="Units">{machine.instances}</Cell>
      <Cell label="Since">{isUp ? <Ago at={machine.since} /> : "not reporting"}</Cell>
    </tr>
  );
}

function systemWords({ os, capacity }: Machine): string {
  if (os === null) return "–";
  const name = os.id === "" ? "Linux" : os.id.charAt(0).toUpperCase() + os.id.slice(1);
  const size = capacity === null ? "" : `, ${capacity.cpus} CPU, ${gibibytes(capacity.memoryBytes)}`;
  return `${name} ${os.version}${size}`;
}

const gibibytes = (bytes: number): string => {
  const size = bytes / 2 ** 30;
  return `${size < 10 ? Math.round(size * 10) / 10 : Math.round(size)} GiB`;
};
