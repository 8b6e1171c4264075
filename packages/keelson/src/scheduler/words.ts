// Reasons in words, for people.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { compareNames } from "../model/unit-name.ts";
import { isForRoom, type Rejection } from "./fit.ts";
import type { Unplaced } from "./plan.ts";

const mostNames = 3;

/** Why no machine takes a unit: machines with the same reason together, the commonest first. */
export function summarise(rejections: ReadonlyMap<string, Rejection>, snapshot: ClusterSnapshot): Unplaced {
  if (rejections.size === 0) return { reason: "no machine reports", final: false };
  const byText = new Map<string, string[]>();
  const full: (readonly [string, Rejection])[] = [];
  let final = true;
  for (const [machine, rejection] of rejections) {
    if (rejection.transient) final = false;
    if (isForRoom(rejection)) {
      full.push([machine, rejection]);
      continue;
    }
    const machines = byText.get(rejection.text);
    if (machines === undefined) byText.set(rejection.text, [machine]);
    else machines.push(machine);
  }
  const nameOf = (id: string): string => snapshot.machines.get(id)?.name ?? id.slice(0, 8);
  const groups = [...byText]
    .map(([text, machines]) => [text, machines.map(nameOf).sort(compareNames)] as const)
    .sort(([, a], [, b]) => b.length - a.length || compareNames(a[0] ?? "", b[0] ?? ""));
  const nearest = full.sort(
    ([a, one], [b, other]) => (other.free ?? 0) - (one.free ?? 0) || (a < b ? -1 : 1),
  );
  const all = [
    ...nearest.slice(0, mostNames).map(([machine, { text }]) => [text, [nameOf(machine)]] as const),
    ...groups,
  ];
  const parts = all.slice(0, mostNames).map(([text, machines]) => `${listed(machines)} ${text}`);
  const told = all.slice(0, mostNames).reduce((sum, [, machines]) => sum + machines.length, 0);
  const rest = rejections.size - told;
  const more = rest === 0 ? "" : `; and ${rest} more`;
  return { reason: `no machine fits: ${parts.join("; ")}${more}`, final };
}

/** "m1, m2, m3 and 4 more". */
export function listed(names: readonly string[]): string {
  const named = names.slice(0, mostNames);
  const rest = names.length - named.length;
  return rest === 0 ? named.join(", ") : `${named.join(", ")} and ${rest} more`;
}
