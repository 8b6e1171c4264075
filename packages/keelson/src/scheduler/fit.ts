// Whether a machine may take a unit, and if not, why. The pass and `why` ask the same functions.
import type { Board, Site } from "./board/board.ts";
import { metadata, no, pinned, type Rejection } from "./foretelling/machine-kind.ts";
import { type Placeable, portsOverlap } from "./placeable.ts";
import {
  type Amounts,
  asksForNothing,
  fitsInto,
  freeOn,
  needOf,
  plus,
  shareLeft,
  shortage,
} from "./board/room.ts";

export { isMachine, type Rejection } from "./foretelling/machine-kind.ts";

type Check = (unit: Placeable, site: Site, board: Board) => Rejection | undefined;

const peers: Check = ({ name, rules }, site) => {
  for (const peer of rules.machineOf) {
    if (peer !== name && !site.units.has(peer)) return no(`does not have ${peer}, beside which it must run`);
  }
  return undefined;
};

/** A container runs where its pod runs, or, when nobody ordered the pod, where its other containers run. */
const pod: Check = ({ name, rules }, site, board) => {
  const here = site.machine.id;
  if (rules.pod === undefined || site.units.has(rules.pod)) return undefined;
  if (board.machinesOf(rules.pod).length > 0) return no(`does not have its pod, ${rules.pod}`);
  let elsewhere = false;
  for (const [machine, count] of board.containersOf(rules.pod)) {
    const others = board.site(machine)?.units.has(name) ? count - 1 : count;
    if (others > 0 && machine === here) return undefined;
    elsewhere ||= others > 0;
  }
  return elsewhere ? no(`does not have the other containers of ${rules.pod}`) : undefined;
};

const conflicts: Check = ({ name, rules }, site) => {
  for (const glob of rules.conflicts) {
    const other = firstMatch(glob, site.units, name);
    if (other !== undefined) return no(`has ${other}, with which it conflicts`);
    const stopping = firstMatch(glob, site.stopping, name);
    if (stopping !== undefined) return wait(stopping);
  }
  for (const other of site.repelling.values()) {
    if (other.name === name) continue;
    if (other.rules.conflicts.some((glob) => glob.matches(name)))
      return no(`has ${other.name}, which conflicts with it`);
  }
  for (const [other, unit] of site.stopping) {
    if (other !== name && unit?.rules.conflicts.some((glob) => glob.matches(name))) return wait(other);
  }
  return undefined;
};

const replaced: Check = (unit, site) => {
  for (const other of site.repelling.values()) {
    if (givesWay(unit, other)) return no(`has ${other.name}, to which it gives way`);
  }
  return undefined;
};

const ports: Check = ({ name, ports }, site) => {
  for (const { port, owner } of ports) {
    const taken = site.ports.find((other) => other.owner !== owner && portsOverlap(port, other.port));
    const words = port.first === port.last ? `port ${port.first}` : `ports ${port.first}-${port.last}`;
    if (taken !== undefined) return no(`has ${taken.owner}, which takes ${words}/${port.protocol}`);
    for (const [other, unit] of site.stopping) {
      if (other === name || unit === undefined) continue;
      if (unit.ports.some((claim) => claim.owner !== owner && portsOverlap(port, claim.port)))
        return wait(other);
    }
  }
  return undefined;
};

/** What is still to stop here of the unit itself makes room for it. */
const resources: Check = ({ name, rules }, site, board) => {
  const need = needOf(rules.resources, site.machine);
  if (asksForNothing(need)) return undefined;
  const { leaving, kept } = board.ownShare(site.machine.id, name);
  const unclaimed = plus(freeOn(site), kept);
  const free = plus(unclaimed, leaving);
  if (fitsInto(need, free)) return undefined;
  return new NoRoom({ need, free, room: site.room, later: plus(unclaimed, site.leaving) });
};

interface Lack {
  readonly need: Amounts;
  readonly free: Amounts;
  readonly room: Amounts;
  /** Free when all have stopped that are to stop. */
  readonly later: Amounts;
}

/** Of thousands of them a few are read: the words are made when they are asked for. */
class NoRoom implements Rejection {
  readonly transient: boolean;
  readonly free: number;
  readonly #lack: Lack;

  constructor(lack: Lack) {
    const { need, free, room, later } = lack;
    this.transient = fitsInto(need, later);
    this.free = shareLeft(need, free, room);
    this.#lack = lack;
  }

  get text(): string {
    const { need, free, room } = this.#lack;
    return `${shortage(need, free, room)}${this.transient ? " until others there have stopped" : ""}`;
  }
}

export const isForRoom = ({ free }: Rejection): boolean => free !== undefined;

const wait = (unit: string): Rejection => ({ text: `has yet to stop ${unit}`, transient: true });

interface Named {
  readonly literal: string | undefined;
  matches(name: string): boolean;
}

function firstMatch(glob: Named, units: ReadonlyMap<string, unknown>, self: string): string | undefined {
  if (glob.literal !== undefined) {
    return glob.literal !== self && units.has(glob.literal) ? glob.literal : undefined;
  }
  for (const name of units.keys()) if (name !== self && glob.matches(name)) return name;
  return undefined;
}

/** Whether `unit` gives way to `other`: other replaces it, and it does not replace other. */
export function givesWay(unit: Placeable, other: Placeable): boolean {
  if (unit.name === other.name || !other.rules.replaces.some((glob) => glob.matches(unit.name))) return false;
  return !unit.rules.replaces.some((glob) => glob.matches(other.name));
}

/** Newcomers only: who is there stays. */
const open: Check = (_, { closed }) => (closed === undefined ? undefined : no(closed));

/** What a unit has against a machine on which it was. When no other takes it, it goes there all the same. */
const avoided: Check = ({ shuns }, { machine }) => {
  const why = shuns?.get(machine.id);
  return why === undefined ? undefined : no(why);
};

/** What the machine itself must be, whatever is on it. */
const machineChecks: readonly Check[] = [pinned, metadata];
const neighbourChecks: readonly Check[] = [conflicts, replaced, ports];
const companyChecks: readonly Check[] = [peers, pod];
const checksButForRoom: readonly Check[] = [
  open,
  ...machineChecks,
  avoided,
  ...companyChecks,
  ...neighbourChecks,
];
const allChecks: readonly Check[] = [
  open,
  ...machineChecks,
  avoided,
  resources,
  ...companyChecks,
  ...neighbourChecks,
];
const stayChecks: readonly Check[] = [...machineChecks, ...neighbourChecks];

function first(checks: readonly Check[], [unit, site, board]: Parameters<Check>): Rejection | undefined {
  for (const check of checks) {
    const rejection = check(unit, site, board);
    if (rejection !== undefined) return rejection;
  }
  return undefined;
}

/** The first reason why the unit may not be placed here. */
export const rejection: Check = (...query) => first(allChecks, query);
/** As `rejection`, without asking for the company of other units, which may not be on the board yet. */
export const rejectionWithoutCompany: Check = (...query) => first(stayChecks, query);
/** Only whether the company that it needs is here. */
export const lacksCompany: Check = (...query) => first(companyChecks, query);
/** The first reason but for room: what is short may be made free. */
export const rejectionButForRoom: Check = (...query) => first(checksButForRoom, query);

/** Every reason why the unit may not be placed here. */
export function allRejections(...query: Parameters<Check>): Rejection[] {
  return allChecks.flatMap((check) => check(...query) ?? []);
}
