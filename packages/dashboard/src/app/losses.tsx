import { useContext, useMemo } from "react";
import { decodeSurvivability } from "../api/decode.ts";
import type { Cluster, Survivability } from "../api/records.ts";
import { Ago, DaemonTime } from "../element/ago.tsx";
import { StateMark } from "../element/state-mark.tsx";
import type { Tone } from "../element/state-mark.tsx";
import { useAnswer } from "../live/use-answer.ts";

/** While it is being worked out. */
const askAgainMs = 3000;

const isOpen = ({ isCurrent }: Survivability): boolean => !isCurrent;

/** Whether the cluster can lose any one machine: the daemon works it out, and never says yes before it knows. */
export function Losses({ cluster }: { readonly cluster: Cluster }) {
  const { machines } = cluster;
  const version = useMemo(() => versionOf(cluster), [cluster]);
  const { value } = useAnswer("/v1/survivability", decodeSurvivability, {
    version,
    everyMs: askAgainMs,
    isOpen,
  });
  const now = useContext(DaemonTime);
  if (value === undefined || machines.length === 0) return null;
  return (
    <p className="hero-facts" data-testid="losses">
      <StateMark tone={toneOf(value)} word={`${value.words}.`} />
      {value.isCurrent || value.at === null || now === 0 ? null : (
        <>
          {" "}
          So it was <Ago at={value.at} />; it is being worked out anew.
        </>
      )}
    </p>
  );
}

/** Changes with what has an influence on it: where things are, not how they are. */
function versionOf({ machines, units, instances }: Cluster): string {
  return [
    machines.map(({ id, state, cordoned }) => `${id}${state}${cordoned}`).join(),
    units.map(({ name, wanted, changed }) => `${name}${wanted}${changed}`).join(),
    instances.map(({ key }) => key).join(),
  ].join("|");
}

function toneOf({ answer, isCurrent }: Survivability): Tone {
  if (answer === null || !isCurrent) return "busy";
  return answer === "yes" ? "good" : "warn";
}
