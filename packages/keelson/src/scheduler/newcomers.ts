// The second half of a pass: what has no machine, and what a machine that is gone has left behind.
import { compareNames } from "../model/unit-name.ts";
import type { Board, Site } from "./board/board.ts";
import { choose, evictionsFrom, homeless } from "./choice.ts";
import { type Rejection, rejection } from "./fit.ts";
import type { Incumbents } from "./incumbents.ts";
import {
  bestClearance,
  type Clearance,
  clearanceOf,
  type Company,
  mayMakeRoom,
  roomToCome,
  willHaveRoom,
} from "./making-room.ts";
import { orderFor } from "./order.ts";
import { hasWorkOn, type Placeable, placeableOn } from "./placeable.ts";
import type { Unplaced } from "./plan.ts";
import { missingFile } from "./companions.ts";
import { byDependence, followersOf, leadersOf } from "./company.ts";
import { Refusals } from "./refusals.ts";
import type { Demand } from "./board/room.ts";
import type { Scene } from "./schedule.ts";
import { listed, summarise } from "./words.ts";

interface Found {
  readonly site: Site;
  readonly because: string;
  readonly evicts: readonly Placeable[];
}

/** Finding out who has to give way takes time: for so many in one pass, the others wait for the next one. */
const mostClearances = 50;

export class Newcomers {
  readonly #scene: Scene;
  readonly #incumbents: Incumbents;
  readonly #board: Board;
  readonly #followers: ReadonlyMap<string, readonly Placeable[]>;
  readonly #company: Company;
  readonly #refusals = new Refusals();
  #clearances = 0;
  /** Orders that were given. */
  #placed = 0;
  /** The priority of the first that waits for its turn. */
  #cutAt: number | undefined;
  /** Whether somebody waits for a machine's answer. */
  awaitsReports = false;

  constructor(scene: Scene, incumbents: Incumbents) {
    this.#scene = scene;
    this.#incumbents = incumbents;
    this.#board = incumbents.board;
    this.#followers = followersOf(scene.wanted.placeables);
    this.#company = { followers: this.#followers, mayStop: (...query) => this.#mayStop(...query) };
  }

  /** Whether some wait for their turn in the next pass. */
  get isCut(): boolean {
    return this.#cutAt !== undefined;
  }

  place(): void {
    const { placeables } = this.#scene.wanted;
    const open: Placeable[] = [];
    for (const unit of placeables.values()) {
      if (unit.rules.global || this.#board.machinesOf(unit.name).length === 0) open.push(unit);
    }
    open.sort(inTurn);
    for (const unit of byDependence(open, placeables)) {
      if (unit.rules.global) this.#placeGlobal(unit);
      else this.#placeOne(unit);
    }
  }

  #placeGlobal(unit: Placeable): void {
    const isSomewhere = this.#board.machinesOf(unit.name).length > 0;
    const held = this.#scene.gates.hold(unit, { hasRun: false });
    if (held !== undefined) {
      if (!isSomewhere) this.#scene.unplaced.set(unit.name, held);
      return;
    }
    const rejections = new Map<string, Rejection>();
    for (const site of this.#board.sites()) {
      if (site.units.has(unit.name) || !hasWorkOn(unit, site.machine.id)) continue;
      const version = placeableOn(unit, site.machine.id);
      const refused = rejection(version, site, this.#board);
      if (this.#isEnough) {
        if (refused === undefined) this.#cutAt ??= unit.rules.priority;
        rejections.set(site.machine.id, refused ?? { text: "is looked at next", transient: true });
      } else if (refused === undefined) this.#give(version, site, "runs on every machine that fits");
      else rejections.set(site.machine.id, this.#waitForRoomOn(version, site) ?? refused);
    }
    if (this.#board.machinesOf(unit.name).length > 0) return;
    this.#scene.unplaced.set(unit.name, summarise(rejections, this.#scene.snapshot));
  }

  #placeOne(unit: Placeable): void {
    const stranded = this.#incumbents.stranded.get(unit.name);
    const departure = stranded && this.#scene.departures.machines.get(stranded.machine);
    if (departure?.waitsFor !== undefined) {
      const reason = `${departure.name} does not report; ${departure.waitsFor}`;
      this.#scene.unplaced.set(unit.name, { reason, final: false });
      return;
    }
    const hasRun = stranded !== undefined || this.#hasLeft(unit.name);
    const held = this.#scene.gates.hold(unit, { hasRun });
    if (held !== undefined) {
      this.#scene.unplaced.set(unit.name, held);
      return;
    }
    if (this.#mustWait(unit, { hasRun })) {
      this.#cutAt ??= unit.rules.priority;
      this.#scene.unplaced.set(unit.name, { reason: "waits for its turn", final: false });
      return;
    }
    const outcome = this.#findSite(unit);
    if ("reason" in outcome) {
      // Whoever waits for company waits only as long as that does.
      const final = outcome.final && !leadersOf(unit).some((leader) => this.#waits(leader));
      this.#scene.unplaced.set(unit.name, { ...outcome, final });
      return;
    }
    for (const evicted of outcome.evicts) {
      if (this.#evict(evicted, outcome.site, unit)) continue;
      const reason = `${outcome.site.machine.name} has yet to start ${evicted.name}, which it replaces`;
      this.#scene.unplaced.set(unit.name, { reason, final: false });
      return;
    }
    const moved = departure ? `moved from ${departure.name}: ${departure.cause}` : this.#movedWords(unit);
    const because = moved === undefined ? outcome.because : `${moved}; ${outcome.because}`;
    this.#give(unit, outcome.site, because);
  }

  get #isEnough(): boolean {
    return this.#placed >= (this.#scene.facts.mostPlaced ?? Infinity);
  }

  /**
   * Whether it is a newcomer beyond those that this pass places. What ran until now waits only for who is more
   * important.
   */
  #mustWait(unit: Placeable, { hasRun }: { readonly hasRun: boolean }): boolean {
    const isNext = hasRun && unit.rules.priority >= (this.#cutAt ?? -Infinity);
    return this.#isEnough && !isNext;
  }

  /** Whether it ran until now and is on its way from one machine to another. */
  #hasLeft(name: string): boolean {
    return this.#incumbents.stopping.has(name) || this.#scene.snapshot.moves.has(name);
  }

  #waits(name: string): boolean {
    return this.#scene.unplaced.get(name)?.final === false;
  }

  #findSite(unit: Placeable): Found | Unplaced {
    const { snapshot } = this.#scene;
    const missing = missingFile(unit.rules, snapshot.units);
    if (missing !== undefined)
      return { reason: `refers to ${missing}, which the cluster does not have`, final: true };
    const stopping = this.#incumbents.stopping.get(unit.name);
    if (stopping !== undefined) return this.#backOr(unit, stopping);
    const planned = this.#planned(unit);
    if (planned !== undefined) return planned;
    const known = this.#refusals.of(unit, this.#board);
    if (known !== undefined) return this.#waitForRoom(unit) ?? known;
    const followers = this.#followers.get(unit.name) ?? [];
    let choice = choose(unit, this.#board, followers);
    // Rather where it failed, or where it comes from, than nowhere.
    if (!("site" in choice) && unit.shuns !== undefined && summarise(choice.rejections, snapshot).final) {
      const anywhere = choose({ ...unit, shuns: new Map() }, this.#board, followers);
      if ("site" in anywhere) choice = anywhere;
    }
    if ("site" in choice) return choice;
    const refused = summarise(choice.rejections, snapshot);
    this.#refusals.note(unit, choice.rejections, { board: this.#board, unplaced: refused });
    return this.#waitForRoom(unit) ?? refused;
  }

  /** Room that others are about to leave, or have to leave now. It is kept for the unit, and the unit waits. */
  #waitForRoom(unit: Placeable): Unplaced | undefined {
    const site = roomToCome(unit, this.#board);
    const clearance = site === undefined ? this.#searchClearance(unit) : undefined;
    const wait = site === undefined ? clearance && this.#clear(unit, clearance) : this.#keepRoom(unit, site);
    return wait && { reason: `waits for room: ${wait.site} ${wait.text}`, final: false };
  }

  #searchClearance(unit: Placeable): Clearance | undefined {
    if (!mayMakeRoom(unit) || this.#clearances >= mostClearances) return undefined;
    const findings = this.#refusals.findingsFor(unit, this.#board);
    if (findings === undefined) return undefined;
    const clearance = bestClearance(unit, this.#board, { company: this.#company, findings });
    if (clearance === undefined) this.#refusals.noteHopeless(unit, this.#board);
    else this.#clearances += 1;
    return clearance;
  }

  /** For a global unit. */
  #waitForRoomOn(unit: Placeable, site: Site): Rejection | undefined {
    if (willHaveRoom(unit, site, this.#board)) return this.#keepRoom(unit, site);
    const victims = clearanceOf(unit, site, { board: this.#board, company: this.#company });
    return victims && this.#clear(unit, { site, victims });
  }

  #keepRoom(unit: Placeable, site: Site): Rejection & { readonly site: string } {
    const { machine, stopping } = site;
    this.#board.keep(machine.id, unit);
    const names = [...stopping.keys()].sort(compareNames);
    return { site: machine.name, text: `has yet to stop ${listed(names)}`, transient: true };
  }

  /** All of them or, while one has not answered its order, none. */
  #clear(unit: Placeable, { site, victims }: Clearance): Rejection & { readonly site: string } {
    const { machine } = site;
    const statuses = this.#scene.snapshot.statuses.get(machine.id);
    const early = victims.find(({ name }) => statuses?.has(name) !== true);
    if (early !== undefined) {
      this.awaitsReports = true;
      const text = `has yet to start ${early.name}, which then gives way to it`;
      return { site: machine.name, text, transient: true };
    }
    for (const victim of victims) this.#evict(victim, site, unit);
    return this.#keepRoom(unit, site);
  }

  /** Not a unit that is on its way somewhere. */
  #mayStop({ name }: Placeable, { machine }: Site): boolean {
    const { snapshot, ledger } = this.#scene;
    const entry = snapshot.schedule.get(machine.id)?.get(name);
    if (entry === undefined || entry.companion || this.#incumbents.handovers.has(name)) return false;
    return ledger.touches(machine.id, name) !== "remove";
  }

  /** "moved from m1: it failed there 3 times in 40 s", when a record says so. */
  #movedWords({ name }: Placeable): string | undefined {
    const { moves, members } = this.#scene.snapshot;
    const move = moves.get(name);
    return move && `moved from ${members.get(move.from)?.name ?? move.from}: ${move.because}`;
  }

  /** The machine that the record of its move names. */
  #planned(unit: Placeable): Found | undefined {
    const move = this.#scene.snapshot.moves.get(unit.name);
    const site = move?.to === undefined ? undefined : this.#board.site(move.to);
    if (move === undefined || site === undefined) return undefined;
    if (evictionsFrom(site, unit).length > 0 || rejection(unit, site, this.#board) !== undefined) {
      return undefined;
    }
    return { site, because: "as planned", evicts: [] };
  }

  /** A machine that has yet to stop the unit may have it back; no other may have it meanwhile. */
  #backOr(unit: Placeable, stopping: readonly string[]): Found | Unplaced {
    const site = stopping.length === 1 ? this.#board.site(stopping[0] ?? "") : undefined;
    if (site !== undefined && this.#mayReturn(unit, site)) {
      const evicts = evictionsFrom(site, unit);
      const refused = rejection(unit, site, this.#board) ?? homeless(evicts, site, this.#board);
      if (refused === undefined) return { site, evicts, because: "it ran here until now" };
    }
    const names = stopping.map((id) => this.#board.site(id)?.machine.name ?? id);
    return { reason: `waits until ${names.join(", ")} has stopped it`, final: false };
  }

  /** Not while the old order stands unanswered. */
  #mayReturn(unit: Placeable, { machine }: Site): boolean {
    const { snapshot, ledger } = this.#scene;
    const entry = snapshot.schedule.get(machine.id)?.get(unit.name);
    return entry === undefined || entry.companion || ledger.touches(machine.id, unit.name) === "remove";
  }

  #evict(unit: Placeable, site: Site, by: Placeable): boolean {
    const entry = this.#scene.snapshot.schedule.get(site.machine.id)?.get(unit.name);
    if (entry === undefined || entry.companion) return false;
    const [own, theirs] = [unit.rules.priority, by.rules.priority];
    const priorities = own < theirs ? `, whose priority is ${theirs}, not ${own}` : "";
    if (!this.#incumbents.withdraw(site, entry, `it gives way to ${by.name}${priorities}`)) return false;
    this.#board.take(site.machine.id, unit);
    const reason = `waits until ${site.machine.name} has stopped it, where it gave way to ${by.name}${priorities}`;
    this.#scene.unplaced.set(unit.name, { reason, final: false });
    return true;
  }

  #give(unit: Placeable, site: Site, because: string): void {
    const { facts, ledger } = this.#scene;
    const machine = site.machine.id;
    const entry = orderFor(unit, facts, { because });
    const stranded = this.#incumbents.stranded.get(unit.name);
    if (stranded === undefined || unit.rules.global) ledger.put(machine, entry);
    else ledger.move(stranded.machine, { machine, entry }, because);
    this.#board.put(machine, unit);
    this.#placed += 1;
  }
}

/** Who is more important first; then those who can go to few machines, then those who ask for much. */
export const inTurn = (one: Placeable, other: Placeable): number =>
  other.rules.priority - one.rules.priority ||
  strictness(one) - strictness(other) ||
  bySize(one.rules.resources, other.rules.resources) ||
  compareNames(one.name, other.name);

const bySize = (one: Demand, other: Demand): number =>
  other.memoryShare - one.memoryShare || other.memoryBytes - one.memoryBytes || other.cpus - one.cpus;

function strictness({ rules, ports }: Placeable): number {
  if (rules.global) return -1;
  if (rules.machine !== undefined) return 0;
  if (rules.metadata.size > 0) return 1;
  return rules.replaces.length > 0 || rules.conflicts.length > 0 || ports.length > 0 ? 2 : 3;
}
