// What a group's machines do, counted: nothing here is ever summed up over machines.
import { longestPeriod, mostPerPeriod } from "../model/update-service.ts";
import type { Halted } from "./entries.ts";
import { Leases } from "./leases.ts";
import { machineStates } from "./machine-state.ts";
import { RecentTimes } from "./recent-times.ts";

export interface Rollout {
  /** No other of the ledger has it; a new one when a person lets it go on. */
  number: number;
  readonly version: string;
  /** Ledger milliseconds; anew when a person lets it go on. */
  began: number;
  /** What to go back to when it fails. */
  good: string | undefined;
  /** It is itself the way back from one that was halted. */
  readonly back: boolean;
  granted: number;
  lapsed: number;
  ok: number;
  failed: number;
  halt: { by: Halted["by"]; failed: number; results: number; at: number; who?: string } | undefined;
}

/** Most rollouts that a group remembers; those that were halted are forgotten last. */
export const mostRollouts = 64;

export class GroupState {
  readonly application: string;
  readonly name: string;
  /** Its place among the groups: what the fleet's column holds. */
  readonly number: number;
  machines = 0;
  /** Grants that hold a slot. */
  taken = 0;
  /** Machines by state, in the order of `machineStates`. */
  readonly states: number[] = machineStates.map(() => 0);
  /** Machines by the version that they run. */
  readonly versions = new Map<string, number>();
  /** By version, in the order in which they began. */
  readonly rollouts = new Map<string, Rollout>();
  readonly grants = new RecentTimes({ most: mostPerPeriod, keptMs: longestPeriod * 1000 });
  readonly leases = new Leases();
  /** Milliseconds from a grant to its success, smoothed; 0 before the first. */
  usualMs = 0;

  constructor({ application, name, number }: Pick<GroupState, "application" | "name" | "number">) {
    this.application = application;
    this.name = name;
    this.number = number;
  }

  countVersion(version: string, by: 1 | -1): void {
    const count = (this.versions.get(version) ?? 0) + by;
    if (count > 0) this.versions.set(version, count);
    else this.versions.delete(version);
  }

  countState(state: number, by: 1 | -1): void {
    this.states[state] = (this.states[state] ?? 0) + by;
  }

  addRollout(rollout: Rollout): void {
    this.rollouts.delete(rollout.version);
    this.rollouts.set(rollout.version, rollout);
    if (this.rollouts.size <= mostRollouts) return;
    const others = [...this.rollouts.values()].slice(0, -1);
    const oldest = others.find(({ halt }) => halt === undefined) ?? others[0];
    if (oldest !== undefined) this.rollouts.delete(oldest.version);
  }
}
