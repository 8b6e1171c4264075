// Why a machine is as it is: what it has, what room is left, and why it takes nothing more.
import { spanWords } from "../../base/span.ts";
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { PlacementSource } from "../../model/placement/cache.ts";
import { isOpenUpdate } from "../../model/system-update.ts";
import { compareNames } from "../../model/unit-name.ts";
import { rejection } from "../fit.ts";
import type { SchedulerFacts } from "../plan.ts";
import { freeOn, memoryInWords, cpusInWords } from "../board/room.ts";
import { type Pass, runPass } from "../schedule.ts";
import type { Reason } from "./subject.ts";

/** Most waiting instances that are judged. */
const mostWaiting = 100;

export interface MachineReasons {
  readonly id: string;
  readonly name: string;
  /** Why it takes no new units, or what is to be known of it; empty for a machine like any other. */
  readonly reasons: readonly Reason[];
  /** Instances with an order here, by name, and why they are here. */
  readonly has: readonly {
    readonly instance: string;
    readonly because: string;
    readonly state: string;
    readonly stays: string;
  }[];
  /** Instances that wait for a machine, and why they are not here. */
  readonly refuses: readonly { readonly instance: string; readonly reason: string }[];
}

/** `undefined` for a machine that is not known. */
export function whyMachine(
  snapshot: ClusterSnapshot,
  id: string,
  { placements, facts }: { readonly placements: PlacementSource; readonly facts: SchedulerFacts },
): MachineReasons | undefined {
  const known = snapshot.members.get(id) ?? snapshot.machines.get(id);
  if (known === undefined) return undefined;
  const pass = runPass(snapshot, placements, facts);
  const statuses = snapshot.statuses.get(id);
  const orders = [...(snapshot.schedule.get(id)?.values() ?? [])].filter(({ companion }) => !companion);
  const has = orders.map(({ unit: instance, because }) => {
    const status = statuses?.get(instance);
    return {
      instance,
      because,
      state: status === undefined ? "has not answered" : status.health,
      stays: pass.plan.stays.get(instance) ?? "",
    };
  });
  return {
    id,
    name: known.name,
    reasons: reasonsOf(id, { snapshot, pass, facts }),
    has: has.sort((a, b) => compareNames(a.instance, b.instance)),
    refuses: refusals(id, pass),
  };
}

function reasonsOf(
  id: string,
  {
    snapshot,
    pass,
    facts,
  }: { readonly snapshot: ClusterSnapshot; readonly pass: Pass; readonly facts: SchedulerFacts },
): Reason[] {
  const { wallMs } = facts;
  const found: Reason[] = [];
  const settings = snapshot.machineSettings.get(id);
  if (!snapshot.machines.has(id)) {
    const departure = pass.departures.machines.get(id);
    const wait = departure?.waitsFor === undefined ? "" : `; its units stay: ${departure.waitsFor}`;
    found.push({ topic: "lost", text: `it does not report: its lease ran out${wait}` });
  }
  if (settings?.drain !== undefined) {
    const { since, reason, deadline } = settings.drain;
    const why = reason === "" ? "" : ` (${reason})`;
    const end = deadline === undefined ? "" : `, at the latest in ${spanWords(deadline - wallMs)}`;
    found.push({
      topic: "draining",
      text: `it is being drained since ${spanWords(wallMs - since)}${why}${end}`,
    });
  } else if (settings?.cordoned === true) {
    found.push({ topic: "cordoned", text: "it is cordoned: it takes no new units" });
  }
  found.push(...systemReasons(id, snapshot));
  const site = pass.board.site(id);
  if (site === undefined) return found;
  if (site.closed !== undefined && settings?.cordoned !== true)
    found.push({ topic: "closed", text: `it ${site.closed}` });
  const free = freeOn(site);
  const room = `${memoryInWords(free.memoryBytes)} of ${memoryInWords(site.room.memoryBytes)} and ${cpusInWords(free.milliCpus)} of ${cpusInWords(site.room.milliCpus)} processors can still be requested`;
  return [...found, { topic: "room", text: room }];
}

/** What it runs where that is not settled, and its place in an update that is not over. */
function systemReasons(id: string, { systemUpdate, systemReports }: ClusterSnapshot): Reason[] {
  const report = systemReports.get(id);
  const found: Reason[] = [];
  if (report?.onTrial === true)
    found.push({ topic: "system", text: `its system ${report.version} is on trial` });
  if (report?.next !== undefined)
    found.push({ topic: "system", text: `its next restart starts the system ${report.next}` });
  const step = systemUpdate?.steps[id];
  if (!isOpenUpdate(systemUpdate) || step === undefined) return found;
  const { to, state, machines, reason } = systemUpdate;
  const what = to === "previous" ? "the return to the system before" : `the system update to ${to}`;
  const turn = `turn ${machines.indexOf(id) + 1} of ${machines.length}`;
  const own = step.reason === "" ? "" : ` (${step.reason})`;
  const whole = reason === "" ? "" : `: ${reason}`;
  return [
    ...found,
    { topic: "system", text: `${what} is ${state}${whole}; here it is ${step.name}${own}, ${turn}` },
  ];
}

function refusals(id: string, { board, plan, wanted }: Pass): MachineReasons["refuses"] {
  const site = board.site(id);
  if (site === undefined) return [];
  return [...plan.unplaced.keys()]
    .sort(compareNames)
    .slice(0, mostWaiting)
    .flatMap((instance) => {
      const unit = wanted.placeables.get(instance);
      const refused = unit === undefined ? undefined : rejection(unit, site, board);
      return refused === undefined ? [] : [{ instance, reason: refused.text }];
    });
}
