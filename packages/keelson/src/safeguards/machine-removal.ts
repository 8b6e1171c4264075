// remove-machine: the cluster no longer expects the machine. Nothing that runs is stopped by it; when the
// machine's lease is gone, its units move at once.
import { KeelError } from "../base/errors.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { Member } from "../model/machine.ts";
import type { Draft } from "./draft.ts";

/** @throws KeelError KEEL-502 */
export function planRemoveMachine(wanted: string, snapshot: ClusterSnapshot): Draft {
  const member = findMember(wanted, snapshot);
  const isUp = snapshot.machines.has(member.id);
  return {
    changes: [],
    summary: `remove the machine ${member.name}`,
    removesMember: member.id,
    notes: isUp
      ? [
          `${member.name} still reports: it stays until its lease ends, and comes back when it registers again`,
        ]
      : [],
  };
}

/** By name, identity, or the beginning of the identity (four characters or more). */
export function findMember(wanted: string, { members }: ClusterSnapshot): Member {
  const all = [...members.values()];
  const exact = all.filter(({ id, name }) => id === wanted || name === wanted);
  const fitting =
    exact.length > 0 || wanted.length < 4 ? exact : all.filter(({ id }) => id.startsWith(wanted));
  const [member, second] = fitting;
  if (member === undefined) throw new KeelError("KEEL-502", `There is no machine ${wanted}.`);
  if (second === undefined) return member;
  throw new KeelError("KEEL-502", `${fitting.length} machines fit ${wanted}: use the identity.`, {
    details: { machines: fitting.map(({ id, name }) => ({ id, name })) },
  });
}
