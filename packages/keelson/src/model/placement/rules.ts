// What deciders know of a unit from its file. read-placement.ts reads it.
import type { CalendarSpec } from "@keelson/systemd";
import type { Glob } from "../glob.ts";

/** A port of the host that a unit takes: two units that overlap do not fit on one machine. */
export interface HostPort {
  readonly first: number;
  readonly last: number;
  readonly protocol: "tcp" | "udp" | "sctp";
  /** The host's address; `undefined` for all. */
  readonly address: string | undefined;
}

/** A number of instances, or a share of them in percent. */
export type Amount = { readonly count: number } | { readonly percent: number };

/** What a unit needs of a machine, and what it is to be kept to. */
export interface ResourceRules {
  /**
   * Bytes that must be free: MemoryRequest=, else what is kept for it (MemoryMin=, MemoryLow=), else what it may
   * take at most (MemoryHigh=, MemoryMax=, podman's own); 0 when none is given.
   */
  readonly memoryBytes: number;
  /** The same as a share of the machine's memory, 0 to 1, for a value in percent. */
  readonly memoryShare: number;
  /** Processors that must be free: CPURequest=, else CPUQuota=, else podman's --cpus; 0 when none is given. */
  readonly cpus: number;
  /** The limits that its file asks the kernel to hold. */
  readonly limits: readonly ("memory" | "cpu" | "pids")[];
}

export type HealthProbe =
  /** A path, or a whole URL; without a host the machine's own address. */
  | { readonly kind: "http"; readonly url: string }
  | { readonly kind: "tcp"; readonly address: string }
  /** Run on the machine; in the container for a Quadlet `.container`. */
  | { readonly kind: "exec"; readonly command: string };

/** How keeld looks whether a unit is well. Quadlet's own Health keys are podman's business. */
export interface HealthRules {
  readonly probe: HealthProbe;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failures in a row that make it unhealthy. */
  readonly retries: number;
  /** Failures do not count for so long after the start. */
  readonly startPeriodMs: number;
  readonly onFailure: "none" | "restart";
}

/** How a unit's instances are replaced by those of another file. */
export interface UpdateRules {
  /** Instances that may be down at once. */
  readonly maxUnavailable: Amount;
  /** Instances that may exist twice for a moment, the new one started first. */
  readonly maxSurge: Amount;
  /** How long the instances of a batch must have been healthy before the next begins. */
  readonly healthyForMs: number;
  /** How long an instance may take to become healthy. */
  readonly timeoutMs: number;
  readonly onFailure: "rollback" | "pause";
}

/** A unit that runs to its end: Type=oneshot without RemainAfterExit=. */
export interface BatchRules {
  /** How often a run that failed is tried again. */
  readonly retries: number;
  readonly retryDelayMs: number;
}

/** When a timer fires, by its [Timer] section. Times are milliseconds. */
export interface TimerRules {
  /** Unit=, as it stands; `undefined` for the unit of the timer's own name. */
  readonly unit: string | undefined;
  readonly calendars: readonly CalendarSpec[];
  /** After the timer was activated. */
  readonly onActiveMs: readonly number[];
  /** After its unit was started last, or has ended last. */
  readonly onUnitActiveMs: readonly number[];
  readonly onUnitInactiveMs: readonly number[];
  /** Its triggers that only a machine knows: OnBootSec=, OnStartupSec=, OnClockChange=, OnTimezoneChange=. */
  readonly ofMachine: readonly string[];
  readonly accuracyMs: number;
  readonly randomDelayMs: number;
  /** The random delay is the same each time. */
  readonly fixedDelay: boolean;
  /** Makes up for times at which nobody was there to fire it. */
  readonly persistent: boolean;
}

/** Moves elsewhere after so many failures on one machine within the time. */
export interface MoveAfterRules {
  readonly failures: number;
  readonly withinMs: number;
}

export interface PlacementRules {
  /** Machine id, its first eight or more characters, boot id or machine name. */
  readonly machine: string | undefined;
  /** By key, the values of which the machine must have one. */
  readonly metadata: ReadonlyMap<string, readonly string[]>;
  /** Units that must be scheduled on the same machine. */
  readonly machineOf: readonly string[];
  /** Units that must not run on the same machine. */
  readonly conflicts: readonly Glob[];
  /** Units that give way to this one. */
  readonly replaces: readonly Glob[];
  /** Runs on every machine whose metadata fit. */
  readonly global: boolean;
  /** What its machine does with it when it loses the store for a lease. */
  readonly onPartition: "stop" | "keep";
  /** Replicas of a template, as its file asks for. */
  readonly replicas: number | undefined;
  readonly owner: string | undefined;
  /** Metadata keys over whose values the replicas of a template are spread, the first one before the next. */
  readonly spreadOver: readonly string[];
  /** Metadata that a machine had better have, the first before the next. */
  readonly prefers: readonly { readonly key: string; readonly value: string }[];
  readonly resources: ResourceRules;
  /** Higher goes first; -1000 to 1000, 0 unless given. */
  readonly priority: number;
  /** Whether units of a lower priority may be stopped for it. */
  readonly preempts: boolean;
  readonly health: HealthRules | undefined;
  readonly moveAfter: MoveAfterRules | undefined;
  readonly update: UpdateRules;
  /** Units that must be healthy, wherever they run, before this one is started. */
  readonly afterUnits: readonly string[];
  /** As `afterUnits`; and this one runs only while they are wanted. */
  readonly requiresUnits: readonly string[];
  readonly batch: BatchRules | undefined;
  readonly timer: TimerRules | undefined;
  readonly hostPorts: readonly HostPort[];
  /** Quadlet files that this one refers to, its pod excepted. */
  readonly references: readonly string[];
  /** The pod that a container belongs to: it runs where its pod runs. */
  readonly pod: string | undefined;
  /** Images that the file names itself. */
  readonly images: readonly string[];
}

/** The limits that the file asks for and that the kernel of a machine does not hold. */
export const unenforcedLimits = (
  { resources }: Pick<PlacementRules, "resources">,
  { unenforced }: { readonly unenforced: readonly string[] },
): string[] => resources.limits.filter((limit) => unenforced.includes(limit));

/** So many of `total`, in whole instances. A percentage of something is at least one, unless it is 0 %. */
export function amountOf(amount: Amount, total: number): number {
  if ("count" in amount) return amount.count;
  return amount.percent === 0 ? 0 : Math.max(1, Math.floor((amount.percent / 100) * total));
}
