// What the update service tells people of its fleet.

/** A rollout of one version to one group. Times are Unix milliseconds of the ledger's clock. */
export interface UpdateRolloutView {
  readonly version: string;
  readonly state: "running" | "halted";
  /** It is the way back from a version that was halted. */
  readonly back: boolean;
  readonly began: number;
  readonly granted: number;
  readonly ok: number;
  readonly failed: number;
  readonly lapsed: number;
  readonly halted?: {
    readonly by: "failures" | "share" | "person";
    readonly failed: number;
    readonly results: number;
    readonly at: number;
    readonly who?: string;
  };
}

export interface UpdateGroupView {
  readonly name: string;
  readonly channel: string;
  /** The version that is wanted, by architecture. */
  readonly wanted: Readonly<Record<string, string>>;
  readonly paused: boolean;
  readonly machines: number;
  /** Slots: taken, and how many there are; null for no limit. */
  readonly taken: number;
  readonly atOnce: number | null;
  /** Machines by state and by the version that they run; only what there is. */
  readonly states: Readonly<Record<string, number>>;
  readonly versions: Readonly<Record<string, number>>;
  /** In the order in which they began. */
  readonly rollouts: readonly UpdateRolloutView[];
}

export interface UpdateApplicationView {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly groups: readonly UpdateGroupView[];
}

export interface UpdatesOverview {
  /** Whether the configuration was read from the store; until then nobody is given anything. */
  readonly configured: boolean;
  readonly machines: number;
  readonly applications: readonly UpdateApplicationView[];
  /** Clients whose requests could not be read, the latest first. */
  readonly unreadable: readonly {
    readonly address: string;
    readonly count: number;
    readonly lastError: string;
    readonly firstMs: number;
    readonly lastMs: number;
  }[];
}

/** One machine of one application, and why it is not updating or what it does. */
export interface UpdateWhy {
  readonly application: string;
  readonly group: string;
  readonly machine: string;
  readonly alias: string;
  readonly address: string;
  readonly version: string;
  readonly state: string;
  /** When it last spoke, Unix milliseconds. */
  readonly seen: number;
  readonly code: string;
  /** Without a capital and a full stop. */
  readonly sentence: string;
}

/** Machines of one application, a page of them. */
export interface UpdateMachinesPage {
  readonly machines: readonly UpdateWhy[];
  /** Where the next page begins; absent on the last one. */
  readonly next?: number;
}

/** Whoever keeps the fleet's ledger. */
export interface UpdateFleet {
  overview(): UpdatesOverview;
  /** By its id or, where none has it, by its alias: of every application that it is known to. Empty when unknown. */
  why(machine: string): readonly UpdateWhy[];
  /** In no particular order, from the place where a page before ended; empty for an application without any. */
  machines(application: string, page: { readonly from: number; readonly most: number }): UpdateMachinesPage;
}
