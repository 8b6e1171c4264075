// What people say of machines and of the cluster: cordon, drain, metadata, settings. No unit's record changes.
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { Member } from "../model/machine.ts";
import type { ClusterSettings, MachineSettings } from "../model/machine-settings.ts";
import type { Intent } from "../model/operation.ts";
import { type RecordChange, sameRecord } from "../model/record-kinds.ts";
import type { Draft, PlanInput } from "./draft.ts";
import { findMember } from "./machine-removal.ts";

type IntentOf<K extends Intent["kind"]> = Extract<Intent, { kind: K }>;

/** Uncordoning ends a drain, too. @throws KeelError KEEL-502 */
export function planCordon({ machine, cordoned }: IntentOf<"cordon">, { snapshot }: PlanInput): Draft {
  const member = findMember(machine, snapshot);
  const { drain, ...settings } = settingsOf(member, snapshot);
  const after = { ...settings, cordoned, ...(cordoned && drain !== undefined ? { drain } : {}) };
  return draft(`${cordoned ? "cordon" : "uncordon"} ${member.name}`, change(member, after, snapshot));
}

/** @throws KeelError KEEL-502 */
export function planDrain(intent: IntentOf<"drain">, { snapshot, context }: PlanInput): Draft {
  const { machine, deadlineSeconds, reason } = intent;
  const member = findMember(machine, snapshot);
  const deadline = deadlineSeconds === undefined ? {} : { deadline: context.nowMs + deadlineSeconds * 1000 };
  const drain = { since: context.nowMs, ...deadline, reason };
  const after = { ...settingsOf(member, snapshot), cordoned: true, drain };
  return draft(`drain ${member.name}`, change(member, after, snapshot));
}

/** @throws KeelError KEEL-502 */
export function planMetadata(
  { machine, metadata }: IntentOf<"set-metadata">,
  { snapshot }: PlanInput,
): Draft {
  const member = findMember(machine, snapshot);
  const settings = settingsOf(member, snapshot);
  const after = { ...settings, metadata: { ...settings.metadata, ...metadata } };
  const names = Object.keys(metadata).join(", ");
  return draft(`set the metadata ${names} of ${member.name}`, change(member, after, snapshot));
}

export function planConfigure(
  { autoRebalance, overcommit }: IntentOf<"configure">,
  { snapshot }: PlanInput,
): Draft {
  const before = snapshot.settings;
  const after: ClusterSettings = {
    autoRebalance: autoRebalance ?? before.autoRebalance,
    overcommit: {
      memory: overcommit?.memory ?? before.overcommit.memory,
      cpu: overcommit?.cpu ?? before.overcommit.cpu,
    },
  };
  if (sameRecord(before, after)) return draft("change no setting of the cluster", []);
  return draft("change settings of the cluster", [{ kind: "cluster-settings", name: "", before, after }]);
}

/** What was said of the machine; nothing yet, in the form of a record. */
export function settingsOf(
  { id }: Pick<Member, "id">,
  { machineSettings }: ClusterSnapshot,
): MachineSettings {
  return machineSettings.get(id) ?? { machine: id, cordoned: false, metadata: {} };
}

function change(
  { id }: Member,
  after: MachineSettings,
  { machineSettings }: ClusterSnapshot,
): RecordChange[] {
  const before = machineSettings.get(id);
  const record = saysNothing(after) ? undefined : after;
  if (sameRecord(before, record)) return [];
  return [
    {
      kind: "machine-settings",
      name: id,
      ...(before === undefined ? {} : { before }),
      ...(record === undefined ? {} : { after: record }),
    },
  ];
}

/** Such a record need not be kept. */
const saysNothing = ({ cordoned, drain, metadata }: MachineSettings): boolean =>
  !cordoned && drain === undefined && Object.keys(metadata).length === 0;

const draft = (summary: string, records: readonly RecordChange[]): Draft => ({
  changes: [],
  records,
  summary: records.length > 0 ? summary : `${summary} (no change)`,
});
