// What the API foretells.
import type { Indispensable } from "../../scheduler/foretelling/survivability.ts";
import type { WhatIf } from "../../scheduler/foretelling/what-if.ts";

/** What would happen if something were the case. Machines stand by their ids; `machines` has their names. */
export interface WhatIfView extends WhatIf {
  /** Revision of the store that it starts from. */
  readonly revision: number;
  /** What is supposed, in words: "m2 is lost". */
  readonly supposed: string;
}

/** A machine with which the store would go. */
export interface StoreRisk {
  readonly machine: string;
  readonly name: string;
  readonly reason: string;
}

/** Whether the cluster can lose any one machine. */
export interface SurvivabilityView {
  /** Null while it has never been worked out. */
  readonly answer: "yes" | "no" | null;
  /** It is about the cluster as it is now; otherwise it is being worked out, and this was so at `at`. */
  readonly isCurrent: boolean;
  readonly revision: number;
  readonly at: number | null;
  /** The answer in a sentence, without a full stop. */
  readonly words: string;
  /** Machines that it cannot lose, with one instance that would be nowhere. */
  readonly indispensable: readonly Indispensable[];
  /** There may be more of them. */
  readonly isCut: boolean;
  /** Machines that were looked at. */
  readonly machines: number;
  readonly store: readonly StoreRisk[];
}
