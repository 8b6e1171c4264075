// One machine: as it announced itself if it is there, as the cluster remembers it if it is not.
import type { Machine, Member } from "../../model/machine.ts";
import { effectiveMetadata } from "../../model/machine-metadata.ts";
import type { ClusterSettings, MachineSettings } from "../../model/machine-settings.ts";
import { roomOf } from "../../scheduler/board/room.ts";
import type { AmountsView, MachineView } from "../wire/machine.ts";

export interface MachineSources {
  readonly machine: Machine | undefined;
  readonly member: Member | undefined;
  readonly settings: MachineSettings | undefined;
  readonly isLeader: boolean;
  readonly instances: number;
  readonly requested: AmountsView;
  readonly overcommit: ClusterSettings["overcommit"];
}

export function machineView(
  id: string,
  { machine, member, settings, isLeader, instances, requested, overcommit }: MachineSources,
): MachineView {
  const known = machine ?? member;
  const room = machine && roomOf(machine, overcommit);
  return {
    id,
    name: known?.name ?? id.slice(0, 8),
    address: known?.address ?? "",
    apiPort: known?.apiPort ?? 0,
    state: machine ? "up" : "lost",
    leader: isLeader,
    since: machine?.since ?? member?.joined ?? 0,
    joined: member?.joined ?? machine?.since ?? 0,
    os: machine?.os ?? null,
    keeldVersion: machine?.keeldVersion ?? "",
    metadata: effectiveMetadata(machine?.metadata ?? {}, settings),
    capacity: machine?.capacity ?? null,
    allocatable: machine === undefined ? null : amounts(machine.allocatable ?? machine.capacity),
    room: room === undefined ? null : { memoryBytes: room.memoryBytes, cpus: room.milliCpus / 1000 },
    requested,
    instances,
    ...(settings?.cordoned === true ? { cordoned: true } : {}),
    ...(settings?.drain === undefined ? {} : { drain: settings.drain }),
  };
}

const amounts = ({ memoryBytes, cpus }: AmountsView): AmountsView => ({ memoryBytes, cpus });
