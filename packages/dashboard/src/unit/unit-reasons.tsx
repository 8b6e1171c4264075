import { Title } from "@mantine/core";
import { decodeTimeline, decodeWhy } from "../api/decode.ts";
import type { InstanceReasons, InstanceTimeline } from "../api/records.ts";
import { useAnswer } from "../live/use-answer.ts";
import { milliseconds } from "./unit-words.ts";
import "./unit-reasons.css";

/** Most instances of which this is told; the command line tells of all. */
const mostInstances = 6;

/** Why the unit's instances are how they are, and the way of each to it. */
export function UnitReasons({ unit, version }: { readonly unit: string; readonly version: string }) {
  const name = encodeURIComponent(unit);
  const why = useAnswer(`/v1/why/${name}`, decodeWhy, { version });
  const timeline = useAnswer(`/v1/timeline/${name}`, decodeTimeline, { version });
  const reasons = (why.value ?? []).filter((one) => one.reasons.length > 0);
  const ways = (timeline.value ?? []).filter(({ steps }) => steps.length > 0);
  return (
    <div className="unit-reasons" data-reasons={unit}>
      {reasons.length === 0 ? null : (
        <section aria-label={`Why ${unit} is as it is`}>
          <Title order={3} className="unit-reasons-title">
            Why
          </Title>
          {reasons.slice(0, mostInstances).map((one) => (
            <Reasons key={one.name} of={one} isNamed={reasons.length > 1} />
          ))}
        </section>
      )}
      {ways.length === 0 ? null : (
        <section aria-label={`Timeline of ${unit}`}>
          <Title order={3} className="unit-reasons-title">
            Timeline
          </Title>
          {ways.slice(0, mostInstances).map((one) => (
            <Way key={`${one.name} ${one.machineName}`} of={one} />
          ))}
        </section>
      )}
      {why.problem === "" ? null : <p className="reason">The reasons could not be read: {why.problem}.</p>}
    </div>
  );
}

function Reasons({ of, isNamed }: { readonly of: InstanceReasons; readonly isNamed: boolean }) {
  return (
    <>
      {isNamed ? <p className="unit-reasons-name">{of.name}</p> : null}
      <ul className="unit-reasons-list">
        {of.reasons.map(({ topic, text }) => (
          <li key={`${topic} ${text}`}>{text}.</li>
        ))}
      </ul>
    </>
  );
}

function Way({ of }: { readonly of: InstanceTimeline }) {
  const where = of.machineName === "" ? "" : ` on ${of.machineName}`;
  const end = of.isDone ? `done after ${milliseconds(of.totalMs)}` : "under way";
  return (
    <>
      <p className="unit-reasons-name">
        {of.name}
        {where}: {end}
      </p>
      <ol className="unit-reasons-list">
        {of.steps.map(({ kind, at, afterMs, text, why }) => (
          <li key={`${kind} ${at}`} data-step={kind}>
            <span className="mono">+{milliseconds(afterMs)}</span> {text}
            {why === "" ? "" : `: ${why}`}
          </li>
        ))}
      </ol>
    </>
  );
}
