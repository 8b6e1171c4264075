// One machine: as it announced itself if it is there, as the cluster remembers it if it is not.
import type { Machine, Member } from "../../model/machine.ts";
import { effectiveMetadata } from "../../model/machine-metadata.ts";
import type { MachineSettings } from "../../model/machine-settings.ts";
import type { MachineView } from "../wire.ts";

export interface MachineSources {
  readonly machine: Machine | undefined;
  readonly member: Member | undefined;
  readonly settings: MachineSettings | undefined;
  readonly isLeader: boolean;
  readonly instances: number;
}

export function machineView(
  id: string,
  { machine, member, settings, isLeader, instances }: MachineSources,
): MachineView {
  const known = machine ?? member;
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
    instances,
    ...(settings?.cordoned === true ? { cordoned: true } : {}),
    ...(settings?.drain === undefined ? {} : { drain: settings.drain }),
  };
}
