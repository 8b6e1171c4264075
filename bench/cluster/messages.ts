// What the processes of the cluster's benchmark say to each other.

/** To the leader. */
export type LeaderRequest =
  /** Forgets what was measured so far. */
  { readonly kind: "reset" } | { readonly kind: "figures" };

/** What the leader measured since the last reset. Milliseconds. */
export interface LeaderFigures {
  readonly isLeading: boolean;
  /** How long each pass of the scheduler took. */
  readonly passes: readonly number[];
  /** From a unit's record being told by the store to its order being in the store. */
  readonly decisions: readonly number[];
  readonly ordersWritten: number;
  /** Of machines whose lease ran out. */
  readonly losses: readonly LossFigures[];
  readonly transactions: number;
}

export interface LossFigures {
  readonly machine: string;
  /** Orders given to others in its stead. */
  readonly moved: number;
  /** From the store's word that it is gone to the last of these orders being in the store. */
  readonly sinceSeen: number;
  /** From the first of these orders being sent to the last being in the store. */
  readonly sinceDecided: number;
}

/** To the machines. */
export type MachinesRequest =
  /** A machine loses power: it says nothing any more. */
  { readonly kind: "lose"; readonly machine: number };

/** From the machines, whenever it changed. */
export interface MachinesReport {
  readonly registered: number;
  /** Units whose status in the store says that they run. */
  readonly active: number;
}
