// What every unit's task is given: the machine, the store, and the agent's other parts.
import type { Clock } from "../base/clock.ts";
import type { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Host } from "../host/host.ts";
import type { UnitStatus } from "../model/schedule.ts";
import type { BodyCache } from "../registry/body-cache.ts";
import type { StoreClient } from "../registry/store-client.ts";
import type { ContainerReader } from "./container-reader.ts";
import type { Fencer } from "./fencer.ts";
import type { HealthChecks } from "./health/health-checks.ts";
import type { HealthMemory } from "./health/health-memory.ts";
import type { StartPace } from "./start-pace.ts";

export interface UnitSurroundings {
  readonly host: Host;
  readonly store: StoreClient;
  readonly bodies: BodyCache;
  readonly fencer: Fencer;
  readonly containers: ContainerReader;
  readonly checks: HealthChecks;
  readonly memory: HealthMemory;
  readonly pace: StartPace;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly lifetime: Lifetime;
  /** The machine's address. */
  readonly address: string;
  /** Whether singletons may be started: the store is heard, and the orders are known to be the latest. */
  readonly mayStartSingletons: () => boolean;
  /** Whether the file of this name lies there as ordered. */
  readonly isInPlace: (name: string) => boolean;
  /** The unit has moved on: others may have waited for it. */
  readonly onProgress: (name: string) => void;
  readonly report: (name: string, status: UnitStatus | undefined) => void;
  /** The unit is gone, and this task with it. */
  readonly onGone: (name: string) => void;
}
