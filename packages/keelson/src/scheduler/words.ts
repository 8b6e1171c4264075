// Reasons in words, for people.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { compareNames } from "../model/unit-name.ts";
import type { Rejection } from "./fit.ts";
import type { Unplaced } from "./plan.ts";

const mostNames = 3;

/** Why no machine takes a unit: machines with the same reason together, the commonest first. */
export function summarise(rejections: ReadonlyMap<string, Rejection>, snapshot: ClusterSnapshot): Unplaced {
  if (rejections.size === 0) return { reason: "no machine reports", final: false };
  const byText = new Map<string, string[]>();
  let final = true;
  for (const [machine, { text, transient }] of rejections) {
    if (transient) final = false;
    const machines = byText.get(text);
    if (machines === undefined) byText.set(text, [machine]);
    else machines.push(machine);
  }
  const nameOf = (id: string): string => snapshot.machines.get(id)?.name ?? id.slice(0, 8);
  const groups = [...byText]
    .map(([text, machines]) => [text, machines.map(nameOf).sort(compareNames)] as const)
    .sort(([, a], [, b]) => b.length - a.length || compareNames(a[0] ?? "", b[0] ?? ""));
  const parts = groups.slice(0, mostNames).map(([text, machines]) => `${names(machines)} ${text}`);
  const rest = groups.slice(mostNames).reduce((sum, [, machines]) => sum + machines.length, 0);
  const more = rest === 0 ? "" : `; and ${rest} more`;
  return { reason: `no machine fits: ${parts.join("; ")}${more}`, final };
}

function names(machines: readonly string[]): string {
  const named = machines.slice(0, mostNames);
  const rest = machines.length - named.length;
  return rest === 0 ? named.join(", ") : `${named.join(", ")} and ${rest} more`;
}
