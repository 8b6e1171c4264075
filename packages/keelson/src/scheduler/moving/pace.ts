// How many may move at once: of one template so many as MaxUnavailable= and MaxSurge= say, in the cluster a few.
import { amountOf } from "../../model/placement/rules.ts";
import type { Incumbents } from "../incumbents.ts";
import type { Placeable } from "../placeable.ts";
import type { Scene } from "../schedule.ts";
import { isReady } from "./handovers.ts";

/** On the way at the same time, in the whole cluster. */
const mostAtOnce = 8;

interface Group {
  total: number;
  /** Instances that are to run and do not, or not well. */
  readonly down: Set<string>;
  surging: number;
}

export class Pace {
  readonly #groups = new Map<string, Group>();
  #underWay: number;

  constructor({ snapshot, wanted }: Scene, incumbents: Incumbents) {
    const ready = new Set<string>();
    for (const [machine, statuses] of snapshot.statuses) {
      const entries = snapshot.schedule.get(machine);
      for (const status of statuses.values()) {
        const entry = entries?.get(status.unit);
        if (entry?.companion !== false || status.hash !== entry.hash || status.restarts < entry.restarts)
          continue;
        if (isReady(status)) ready.add(status.unit);
      }
    }
    for (const unit of wanted.placeables.values()) {
      if (unit.instance.desired !== "launched") continue;
      const group = this.#group(unit);
      group.total += 1;
      if (!ready.has(unit.name)) group.down.add(unit.name);
      if (isTwice(unit.name, incumbents)) group.surging += 1;
    }
    const leaving = [...incumbents.stopping.keys()].filter((name) => wanted.placeables.has(name));
    this.#underWay = leaving.length + incumbents.handovers.size;
  }

  /** Why the unit may not be stopped now; `undefined` when it may. */
  objectionToStop(unit: Placeable): string | undefined {
    const { total, down } = this.#group(unit);
    if (unit.instance.desired !== "launched" || down.has(unit.name)) return this.#objection();
    const most = amountOf(unit.rules.update.maxUnavailable, total);
    if (down.size < most) return this.#objection();
    return most === 0
      ? "MaxUnavailable=0 lets none of its replicas stop"
      : `waits: ${down.size} of ${total} ${groupOf(unit)} are down, MaxUnavailable=${most}`;
  }

  /** Why the unit may not be replaced by its new file where it is now. One at a time always may. */
  objectionToRenew(unit: Placeable): string | undefined {
    const { total, down } = this.#group(unit);
    const most = Math.max(1, amountOf(unit.rules.update.maxUnavailable, total));
    if (down.has(unit.name) || down.size < most) return undefined;
    return `waits: ${down.size} of ${total} ${groupOf(unit)} are down`;
  }

  /** Why the unit may not be started elsewhere beside itself now; `undefined` when it may. */
  objectionToSurge(unit: Placeable): string | undefined {
    const { total, surging } = this.#group(unit);
    const most = amountOf(unit.rules.update.maxSurge, total);
    if (surging < most) return this.#objection();
    return `waits: ${surging} of ${groupOf(unit)} ${surging === 1 ? "is" : "are"} being handed over, MaxSurge=${most}`;
  }

  stops(unit: Placeable): void {
    if (unit.instance.desired === "launched") this.#group(unit).down.add(unit.name);
    this.#underWay += 1;
  }

  surges(unit: Placeable): void {
    this.#group(unit).surging += 1;
    this.#underWay += 1;
  }

  /** Whether the unit may exist twice at all. */
  mayEverSurge(unit: Placeable): boolean {
    const isRunning = unit.instance.desired === "launched" && !unit.rules.global;
    return isRunning && amountOf(unit.rules.update.maxSurge, this.#group(unit).total) > 0;
  }

  #objection(): string | undefined {
    return this.#underWay < mostAtOnce ? undefined : `waits: ${this.#underWay} others are on their way`;
  }

  #group(unit: Placeable): Group {
    const name = groupOf(unit);
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { total: 0, down: new Set(), surging: 0 };
      this.#groups.set(name, group);
    }
    return group;
  }
}

/** Whether it may run on two machines now: it is being handed over, or one of the two has yet to stop it. */
const isTwice = (name: string, { handovers, stopping, board }: Incumbents): boolean =>
  handovers.has(name) || (stopping.has(name) && board.machinesOf(name).length > 0);

const groupOf = ({ template, name }: Placeable): string => template ?? name;
