import { UnstyledButton } from "@mantine/core";
import { useContext, useId, useState } from "react";
import type { Instance, Unit } from "../api/records.ts";
import { DaemonTime } from "../element/ago.tsx";
import { Cell, HeadCell } from "../element/data-table.tsx";
import { StateMark } from "../element/state-mark.tsx";
import { Addresses } from "./addresses.tsx";
import { HealthBar } from "./health-bar.tsx";
import { UnitDetails } from "./unit-details.tsx";
import { courseWords, unitLook } from "./unit-words.ts";
import "./unit-row.css";

const shownPlaces = 4;

/** A unit in one row; its instances below it when it is opened. */
export function UnitRow({
  unit,
  instances,
}: {
  readonly unit: Unit;
  readonly instances: readonly Instance[];
}) {
  const [isOpen, setIsOpen] = useState(false);
  const id = useId();
  const { tone, word } = unitLook(unit);
  return (
    <>
      <tr role="row" data-unit={unit.name} className="unit-row">
        <HeadCell>
          <UnstyledButton
            className="unit-toggle"
            aria-expanded={isOpen}
            aria-controls={id}
            onClick={() => setIsOpen(!isOpen)}
          >
            <svg
              className="unit-chevron"
              width="12"
              height="12"
              viewBox="0 0 12 12"
              aria-hidden="true"
              focusable="false"
            >
              <path d="m4 2 4 4-4 4" />
            </svg>
            {unit.name}
          </UnstyledButton>
        </HeadCell>
        <Cell label="State">
          <span className="unit-state">
            <StateMark tone={tone} word={word} />
            {unit.reason === "" ? null : <span className="reason">{unit.reason}</span>}
            <Course unit={unit} />
          </span>
        </Cell>
        <Cell label="Healthy">
          <HealthBar wanted={unit.wanted} healthy={unit.healthy} tone={tone} />
        </Cell>
        <Cell label="Where">
          <Places instances={instances} />
        </Cell>
      </tr>
      <tr role="row" id={id} className="unit-details" hidden={!isOpen}>
        <td role="cell" colSpan={4}>
          {isOpen ? <UnitDetails unit={unit} instances={instances} /> : null}
        </td>
      </tr>
    </>
  );
}

/** Its rollout, its next time, its last run; nothing for most units. */
function Course({ unit }: { readonly unit: Unit }) {
  const words = courseWords(unit, useContext(DaemonTime));
  return words === "" ? null : <span className="reason">{words}</span>;
}

/** The machines that the unit is on, each with its addresses. */
function Places({ instances }: { readonly instances: readonly Instance[] }) {
  const placed = instances.filter(({ machine }) => machine !== null);
  if (placed.length === 0) return <span className="mute">nowhere</span>;
  return (
    <ul className="places">
      {placed.slice(0, shownPlaces).map((instance) => (
        <li key={instance.key}>
          {instance.machineName} <Addresses addresses={instance.addresses} of={instance.name} />
        </li>
      ))}
      {placed.length > shownPlaces ? <li className="mute">and {placed.length - shownPlaces} more</li> : null}
    </ul>
  );
}
