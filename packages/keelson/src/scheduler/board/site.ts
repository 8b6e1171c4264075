// A machine that reports with what is on it while a pass goes on; and what those who rank machines ask of them all.
import type { Machine } from "../../model/machine.ts";
import type { Leftover, Placeable, PortClaim } from "../placeable.ts";
import type { Amounts } from "./room.ts";

export interface Site {
  readonly machine: Machine;
  /** Its place in the order of machine ids. */
  readonly order: number;
  readonly units: ReadonlyMap<string, Placeable>;
  /** Units on the site that keep others away. */
  readonly repelling: ReadonlyMap<string, Placeable>;
  readonly ports: readonly PortClaim[];
  /** Instances that are still to stop here, without an order; with what they were as far as it is known. */
  readonly stopping: ReadonlyMap<string, Leftover | undefined>;
  readonly load: number;
  /** Another one after each change of the site. */
  readonly revision: number;
  /** What requests may take here in all. */
  readonly room: Amounts;
  /** What they take: of the units that are here, of those that are still to stop, and of room that is kept. */
  readonly taken: Amounts;
  /** The part of `taken` that goes away by itself, when what has to stop has stopped. */
  readonly leaving: Amounts;
  /** Why it takes no new units, in words that follow its name; `undefined` when it does. */
  readonly closed: string | undefined;
}

/** What the board tells about all machines together. */
export interface Sites {
  readonly size: number;
  /** In the order of machine ids. */
  sites(): Iterable<Site>;
  /** How many instances of the template are on the machine. */
  siblings(template: string, machine: string): number;
  /** How many instances of the template are in each place that has some, of `placesOf` its SpreadOver=. */
  inPlaces(template: string): ReadonlyMap<string, number>;
  /** Sites from which something was taken, in the order of its happening: they suit others better than before. */
  readonly relieved: readonly Site[];
}

/** The places that a machine is in, by the values of the keys: `zone=a`, then `zone=a, rack=1`. */
export function placesOf({ metadata }: Pick<Machine, "metadata">, keys: readonly string[]): string[] {
  let place = "";
  return keys.map((key) => {
    const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
    place += `${place === "" ? "" : ", "}${value === undefined ? `no ${key}` : `${key}=${value}`}`;
    return place;
  });
}
