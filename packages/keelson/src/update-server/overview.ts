// The ledger as people want to see it.
import type {
  UpdateApplicationView,
  UpdateGroupView,
  UpdateMachinesPage,
  UpdateRolloutView,
  UpdatesOverview,
  UpdateWhy,
} from "../model/update-overview.ts";
import { ClockFaces } from "../update-policy/clock-faces.ts";
import type { ConfigurationRecords } from "../update-policy/configuration.ts";
import type { Fleet } from "../update-policy/fleet.ts";
import type { GroupState, Rollout } from "../update-policy/group-state.ts";
import type { Ledger } from "../update-policy/ledger.ts";
import { machineStates } from "../update-policy/machine-state.ts";
import { describeReason, type Telling } from "../update-policy/reasons.ts";

/** Most machines of one alias that are told of. */
const MOST_NAMESAKES = 20;

/** Counts are kept by the ledger: this costs the same whatever the fleet's size. */
export function overviewOf(
  ledger: Ledger,
  {
    records,
    unreadable,
  }: {
    readonly records: ConfigurationRecords | undefined;
    readonly unreadable: UpdatesOverview["unreadable"];
  },
): UpdatesOverview {
  return {
    configured: records !== undefined,
    machines: ledger.state.machines,
    applications: (records?.applications ?? []).map(({ id, name, kind }): UpdateApplicationView => ({
      id,
      name,
      kind,
      groups: (records?.groups ?? [])
        .filter(({ application }) => application === id)
        .map((record) => {
          const channel = records?.channels.find(
            (one) => one.application === id && one.name === record.channel,
          );
          return groupView(record, { channel, state: ledger.state.group(id, record.name) });
        }),
    })),
    unreadable,
  };
}

function groupView(
  { name, channel: channelName, policy }: ConfigurationRecords["groups"][number],
  {
    channel,
    state,
  }: {
    readonly channel: ConfigurationRecords["channels"][number] | undefined;
    readonly state: GroupState | undefined;
  },
): UpdateGroupView {
  const wanted = Object.entries(channel?.versions ?? {}).map(([architecture, { version }]) => [
    architecture,
    policy.pin ?? version,
  ]);
  const states = machineStates.map((one, place) => [one, state?.states[place] ?? 0] as const);
  return {
    name,
    channel: channelName,
    wanted: Object.fromEntries(wanted),
    paused: policy.paused,
    machines: state?.machines ?? 0,
    taken: state?.taken ?? 0,
    atOnce: policy.atOnce,
    states: Object.fromEntries(states.filter(([, count]) => count > 0)),
    versions: Object.fromEntries(state?.versions ?? []),
    rollouts: [...(state?.rollouts.values() ?? [])].map(rolloutView),
  };
}

function rolloutView({
  version,
  back,
  began,
  granted,
  ok,
  failed,
  lapsed,
  halt,
}: Rollout): UpdateRolloutView {
  return {
    version,
    state: halt === undefined ? "running" : "halted",
    back,
    began,
    granted,
    ok,
    failed,
    lapsed,
    ...(halt === undefined ? {} : { halted: { ...halt } }),
  };
}

/** A machine in every application, by its id, or else by its alias, for which all are looked at. */
export function whyOf(ledger: Ledger, machine: string, nowMs: number): readonly UpdateWhy[] {
  const fleets = [...ledger.state.fleets.values()];
  const byId = fleets.flatMap((fleet) => {
    const row = fleet.row(machine);
    return row === undefined ? [] : [{ fleet, row }];
  });
  const found = byId.length > 0 ? byId : fleets.flatMap((fleet) => [...namesakes(fleet, machine)]);
  const telling = { now: nowMs, clocks: new ClockFaces() };
  return found.slice(0, MOST_NAMESAKES).map(({ fleet, row }) => whyRow(ledger, { fleet, row, telling }));
}

/** A page of an application's machines; costs what the page holds, whatever the fleet's size. */
export function machinesOf(
  ledger: Ledger,
  {
    application,
    from,
    most,
    nowMs,
  }: {
    readonly application: string;
    readonly from: number;
    readonly most: number;
    readonly nowMs: number;
  },
): UpdateMachinesPage {
  const fleet = ledger.state.fleets.get(application);
  if (fleet === undefined) return { machines: [] };
  const end = Math.min(fleet.size, from + most);
  const machines: UpdateWhy[] = [];
  const telling = { now: nowMs, clocks: new ClockFaces() };
  for (let row = from; row < end; row++) machines.push(whyRow(ledger, { fleet, row, telling }));
  return { machines, ...(end < fleet.size ? { next: end } : {}) };
}

function whyRow(
  ledger: Ledger,
  { fleet, row, telling }: { readonly fleet: Fleet; readonly row: number; readonly telling: Telling },
): UpdateWhy {
  const [alias = "", address = ""] = fleet.names(row).split("\n");
  const id = fleet.id(row);
  const reason = ledger.why(fleet.application, id, telling.now);
  return {
    application: fleet.application,
    group: ledger.state.groupOf(fleet, row).name,
    machine: id,
    alias,
    address,
    version: fleet.version(row),
    state: fleet.state(row),
    seen: fleet.at.seen[row] ?? 0,
    code: reason.code,
    sentence: describeReason(reason, telling),
  };
}

function* namesakes(fleet: Fleet, alias: string): Generator<{ readonly fleet: Fleet; readonly row: number }> {
  if (alias === "") return;
  for (let row = 0; row < fleet.size; row++)
    if (fleet.names(row).startsWith(`${alias}\n`)) yield { fleet, row };
}
