// Carries wishes to move out, as many as may go now: units that may exist twice are handed over, all others are
// stopped and then started elsewhere. Whoever does not go stays where it is, with the reason.
// Invariants: nothing moves while the leader holds back; nothing leaves before another machine would take it, unless
// a drain's time is up; of a template no more are down or twice than its file allows.
import { compareNames } from "../../model/unit-name.ts";
import { choose } from "../choice.ts";
import { followersOf, leadersOf } from "../company.ts";
import { rejection } from "../fit.ts";
import type { Incumbents, Standing } from "../incumbents.ts";
import { orderFor } from "../order.ts";
import type { Placeable } from "../placeable.ts";
import type { Site } from "../board/board.ts";
import type { Scene } from "../schedule.ts";
import { summarise } from "../words.ts";
import { Pace } from "./pace.ts";
import { type Wish, wishesOf } from "./wishes.ts";

export class Moves {
  /** By instance, why it does not move now. */
  readonly stays = new Map<string, string>();
  awaitsReports = false;
  againMs: number | undefined;
  readonly #scene: Scene;
  readonly #incumbents: Incumbents;
  #pace: Pace | undefined;
  /** Places of units that are on their way there, while the others are looked at. */
  readonly #kept: { readonly machine: string; readonly unit: Placeable }[] = [];
  #followers: ReadonlyMap<string, readonly Placeable[]> = new Map();

  constructor(scene: Scene, incumbents: Incumbents) {
    this.#scene = scene;
    this.#incumbents = incumbents;
  }

  /** @param after for whom all of them stay for now, in words */
  begin({ after }: { readonly after?: string | undefined } = {}): void {
    const { facts, wanted } = this.#scene;
    const { wishes, nextDeadline } = wishesOf(this.#scene, this.#incumbents.standing);
    if (nextDeadline !== undefined) this.againMs = facts.nowMs + nextDeadline - facts.wallMs;
    if (this.#incumbents.handovers.size > 0) this.awaitsReports = true;
    if (wishes.length === 0) return;
    const held = after ?? this.#heldBack();
    if (held !== undefined) {
      for (const wish of wishes) this.#stay(wish, held);
      return;
    }
    this.#pace = new Pace(this.#scene, this.#incumbents);
    this.#followers = followersOf(wanted.placeables);
    this.#keepPlaces();
    for (const wish of wishes.toSorted(inTurn)) this.#carryOut(wish, this.#pace);
    for (const { machine, unit } of this.#kept.splice(0)) this.#incumbents.board.take(machine, unit);
    this.#incumbents.dismissTheLonely();
  }

  /** Where units go that have yet to stop, nobody else who leaves counts on. */
  #keepPlaces(): void {
    const { board, stopping } = this.#incumbents;
    for (const name of stopping.keys()) {
      const unit = this.#scene.wanted.placeables.get(name);
      if (unit === undefined || unit.rules.global || board.machinesOf(name).length > 0) continue;
      const choice = choose(unit, board, this.#followers.get(name) ?? []);
      if ("site" in choice) this.#keepPlace(choice.site, unit);
    }
  }

  #keepPlace({ machine }: Site, unit: Placeable): void {
    this.#incumbents.board.put(machine.id, unit);
    this.#kept.push({ machine: machine.id, unit });
  }

  #heldBack(): string | undefined {
    const { departures, facts } = this.#scene;
    const { nowMs, continuousSinceMs, leaseMs } = facts;
    for (const alarm of departures.alarms.values()) return alarm;
    if (continuousSinceMs === undefined || nowMs < continuousSinceMs + leaseMs) {
      this.againMs = Math.min(this.againMs ?? Infinity, (continuousSinceMs ?? nowMs) + leaseMs);
      return "the leader has not watched the machines for a whole lease yet";
    }
    for (const { name, waitsFor } of departures.machines.values()) {
      if (waitsFor !== undefined) return `${name} does not report; ${waitsFor}`;
    }
    return undefined;
  }

  #carryOut(wish: Wish, pace: Pace): void {
    const { standing, because } = wish;
    const { site, unit, entry } = standing;
    const handover = this.#incumbents.handovers.get(unit.name);
    if (wish.isOverdue) {
      if (handover?.to === site.machine.id) return this.#stay(wish, "it is taking over here");
      this.#release(wish, `${because}; the time for that is up`);
      return pace.stops(unit);
    }
    if (handover !== undefined) {
      const to = this.#incumbents.board.site(handover.to)?.machine.name ?? handover.to;
      return this.#stay(wish, `${to} is starting it`);
    }
    if (unit.run !== undefined) return this.#stay(wish, "runs to its end here");
    if (unit.rules.global) return this.#leaveLast(wish);
    const leader = leadersOf(unit).find((name) => this.#isLedHere(name, site));
    if (leader !== undefined) return this.#stay(wish, `goes with ${leader}`);
    // Its order still says that it takes over: this very pass says so no more.
    if (this.#incumbents.stopping.has(unit.name) || entry.takesOver !== undefined) {
      this.awaitsReports = true;
      return this.#stay(wish, "waits until another machine has stopped it");
    }
    const failed = entry.failedHandover;
    if (wish.isRenewal && failed?.hash === unit.hash && failed.until > this.#scene.facts.wallMs) {
      const { facts } = this.#scene;
      this.againMs = Math.min(this.againMs ?? Infinity, facts.nowMs + failed.until - facts.wallMs);
      return this.#stay(wish, failed.reason);
    }
    const target = this.#target(wish);
    if (typeof target === "string") {
      if (wish.orElse === "renew") return this.#renewHere(wish, pace);
      this.stays.set(unit.name, `fits nowhere else: ${target}`);
      return;
    }
    this.#go(wish, target, pace);
  }

  #go(wish: Wish, target: Target, pace: Pace): void {
    const { standing, because } = wish;
    const { unit } = standing;
    const surges = pace.mayEverSurge(unit) && !this.#hasCompany(unit) && !target.evicts;
    if (!surges && wish.orElse === "renew") return this.#renewHere(wish, pace);
    const objection = surges ? pace.objectionToSurge(unit) : pace.objectionToStop(unit);
    if (objection !== undefined) {
      this.awaitsReports = true;
      return this.#stay(wish, objection);
    }
    if (surges) {
      pace.surges(unit);
      this.#handOver(standing, target.site, `${because}; ${target.because}`);
    } else {
      pace.stops(unit);
      this.#release(wish, because);
      this.#keepPlace(target.site, unit);
    }
    this.awaitsReports = true;
  }

  /** No other machine takes it: it gets its new file where it is, as few at once as may be down. */
  #renewHere(wish: Wish, pace: Pace): void {
    const { unit } = wish.standing;
    const objection = pace.objectionToRenew(unit);
    this.awaitsReports = true;
    if (objection === undefined) pace.stops(unit);
    else this.#stay(wish, objection);
  }

  #release({ standing }: Wish, because: string): void {
    const { site, unit } = standing;
    this.#incumbents.release(standing, because);
    if (this.#incumbents.board.machinesOf(unit.name).length > 0) return;
    const reason = `waits until ${site.machine.name} has stopped it`;
    this.#scene.unplaced.set(unit.name, { reason, final: false });
  }

  #handOver({ site, unit }: Standing, to: Site, because: string): void {
    const { ledger, facts } = this.#scene;
    const entry = orderFor(unit, facts, { because, takesOver: site.machine.id });
    ledger.put(to.machine.id, entry);
    this.#incumbents.board.put(to.machine.id, unit);
    this.#incumbents.handovers.set(unit.name, { from: site.machine.id, to: to.machine.id, entry });
  }

  /** The machine that would take it, or in words why none does. */
  #target({ standing, to }: Wish): Target | string {
    const { site, unit } = standing;
    const { board } = this.#incumbents;
    board.take(site.machine.id, unit);
    try {
      const named = to === undefined ? undefined : board.site(to);
      if (named !== undefined && named !== site && rejection(unit, named, board) === undefined) {
        return { site: named, because: "as planned", evicts: false };
      }
      const shuns = new Map([[site.machine.id, "is the one that it is to leave"], ...(unit.shuns ?? [])]);
      const choice = choose({ ...unit, shuns }, board, this.#followers.get(unit.name) ?? []);
      if ("site" in choice) return { ...choice, evicts: choice.evicts.length > 0 };
      const others = [...choice.rejections].filter(([machine]) => machine !== site.machine.id);
      if (others.length === 0) return "there is no other machine";
      const { reason, final } = summarise(new Map(others), this.#scene.snapshot);
      this.awaitsReports ||= !final;
      return reason;
    } finally {
      board.put(site.machine.id, unit);
    }
  }

  #leaveLast(wish: Wish): void {
    const { standing, because } = wish;
    const { site } = standing;
    const others = [...site.units.values()].filter(({ rules }) => !rules.global).length + site.stopping.size;
    if (others > 0) {
      this.awaitsReports = true;
      return this.#stay(wish, "runs on every machine: it leaves when the others have left");
    }
    this.#incumbents.release(standing, because);
  }

  /** A unit beside which it must run, and which will itself move from here. */
  #isLedHere(name: string, site: Site): boolean {
    const leader = site.units.get(name);
    return leader !== undefined && !leader.rules.global;
  }

  #hasCompany(unit: Placeable): boolean {
    return leadersOf(unit).length > 0 || (this.#followers.get(unit.name)?.length ?? 0) > 0;
  }

  #stay({ standing: { unit }, isRenewal }: Wish, why: string): void {
    this.stays.set(unit.name, why);
    if (isRenewal) this.#incumbents.keepAsItIs(unit.name);
  }
}

interface Target {
  readonly site: Site;
  readonly because: string;
  /** Whether others must give way to it there. */
  readonly evicts: boolean;
}

/** Global units last. */
const inTurn = ({ standing: a }: Wish, { standing: b }: Wish): number =>
  Number(a.unit.rules.global) - Number(b.unit.rules.global) || compareNames(a.unit.name, b.unit.name);
