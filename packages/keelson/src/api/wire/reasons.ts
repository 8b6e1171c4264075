// What the API answers to why.
import type { MachineReasons } from "../../scheduler/reasons/why-machine.ts";
import type { InstanceReasons } from "../../scheduler/reasons/why.ts";

/** Why a unit's instances are where they are, or nowhere. */
export interface WhyView {
  readonly revision: number;
  readonly unit: string;
  readonly instances: readonly InstanceReasons[];
  /** Instances of the unit that are not among them, for they are too many: ask for one by its name. */
  readonly leftOut: number;
}

/** Why a machine is as it is, what it has and what it refuses. */
export interface WhyMachineView extends MachineReasons {
  readonly revision: number;
}
