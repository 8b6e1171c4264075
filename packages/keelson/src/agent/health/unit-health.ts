// The health of one unit on this machine: counts its failures, follows its checks, and says what the machine does
// about it by itself. systemd's own Restart= goes first: this steps in only when systemd has given up.
// Invariant: nothing is counted or done for an order that is not carried out, nor for a unit that was stopped by an
// order or by the fence.
import type { Timer } from "../../base/clock.ts";
import type { UnitState } from "../../host/host.ts";
import type { RememberedHealth } from "../../model/remembered-health.ts";
import type { ScheduleEntry, UnitStatus } from "../../model/schedule.ts";
import type { UnitFileFacts } from "../unit-file-facts.ts";
import type { UnitSurroundings } from "../unit-surroundings.ts";
import type { HealthCourse } from "./course.ts";
import {
  defaultWindowMs,
  failuresOf,
  noFailures,
  pauseBefore,
  withFailures,
  withTry,
  withWait,
  longestPauseMs,
} from "./failure-log.ts";

export interface Sight {
  readonly order: ScheduleEntry;
  readonly file: UnitFileFacts | undefined;
  readonly state: UnitState;
}

/** What the machine does by itself, and when: Unix milliseconds. */
export interface Remedy {
  readonly action: "start" | "restart";
  readonly at: number;
}

const startLimit = "restarted too often";

export class UnitHealth {
  readonly #name: string;
  readonly #around: UnitSurroundings;
  /** Called when the unit has been well for so long that its failures are forgotten. */
  readonly #onSettled: () => void;
  #known: RememberedHealth | undefined;
  #settling: Timer | undefined;
  #remedy: Remedy | undefined;

  constructor(name: string, around: UnitSurroundings, onSettled: () => void) {
    this.#name = name;
    this.#around = around;
    this.#onSettled = onSettled;
    this.#known = around.memory.get(name);
  }

  get failures(): UnitStatus["failures"] {
    return this.#known === undefined ? undefined : failuresOf(this.#known.log);
  }

  get course(): HealthCourse | undefined {
    return this.#around.checks.get(this.#name);
  }

  get remedy(): Remedy | undefined {
    return this.#remedy;
  }

  /** The unit is not to run, or its order is not carried out: nothing is followed. Failures of another order are forgotten. */
  rest(order: ScheduleEntry | undefined): void {
    this.#around.checks.forget(this.#name);
    this.#settling?.cancel();
    this.#settling = undefined;
    this.#remedy = undefined;
    if (this.#known === undefined || (order !== undefined && this.#known.order === orderKey(order))) return;
    this.#known = undefined;
    this.#around.memory.delete(this.#name);
  }

  /** Takes note of the unit as it is now, its order being carried out. */
  observe(sight: Sight): void {
    const { order, file, state } = sight;
    if (this.#known !== undefined && this.#known.order !== orderKey(order)) this.rest(order);
    const known = this.#known ?? { order: orderKey(order), ...untouched, ...baseline(state) };
    this.#remember(this.#counted(known, sight));
    this.#follow(file, state);
    this.#settle(sight);
    this.#remedy = this.#choose(sight);
  }

  /** The remedy is carried out now. */
  begin(): void {
    this.#remedy = undefined;
    if (this.#known === undefined) return;
    const { count } = this.failures ?? { count: 0 };
    this.#around.log.info("tries again what failed", { unit: this.#name, failures: count });
    this.#remember({ ...this.#known, log: withTry(this.#known.log, this.#around.clock.wall()) });
  }

  #counted(known: RememberedHealth, { file, state }: Sight): RememberedHealth {
    const { clock } = this.#around;
    const { invocation, restarts } = state;
    // Started anew by somebody else than systemd itself, it counts from the beginning.
    const before = restarts < known.restarts ? 0 : known.restarts;
    const failedAs = state.active === "failed" ? `${invocation} ${state.since}` : "";
    const isNews = failedAs !== "" && failedAs !== known.counted;
    // What made systemd give up was counted as a restart.
    const isLimit = state.reason === startLimit && known.log.failures.length > 0;
    const count = restarts - before + (isNews && !isLimit ? 1 : 0);
    const found = known.invocation === invocation ? known.found : undefined;
    const { found: _, ...rest } = known;
    const next = {
      ...rest,
      ...(found && { found }),
      invocation,
      restarts,
      counted: failedAs || known.counted,
    };
    if (count === 0 || file?.isBatch === true) return next;
    const windowMs = file?.failureWindowMs ?? defaultWindowMs;
    return { ...next, log: withFailures(known.log, { at: clock.wall(), count, windowMs }) };
  }

  #follow(file: UnitFileFacts | undefined, { active, invocation, since }: UnitState): void {
    const { checks, clock } = this.#around;
    if (file?.health === undefined || active !== "active") return checks.forget(this.#name);
    const startedMs = clock.now() - Math.max(0, clock.wall() - since);
    checks.follow(this.#name, { rules: file.health, invocation, startedMs, known: this.#known?.found });
    const course = checks.get(this.#name);
    const known = this.#known;
    if (course === undefined || known === undefined) return;
    const { state, reason } = course;
    if (state === known.found?.state && reason === known.found.reason) return;
    const fails = state === "unhealthy" && known.found?.state !== "unhealthy";
    const failure = { at: clock.wall(), count: 1, windowMs: file.failureWindowMs };
    const log = fails ? withFailures(known.log, failure) : known.log;
    this.#remember({ ...known, log, found: { state, reason } });
  }

  /** Forgets the failures once it has been well for as long as they count. */
  #settle({ file, state }: Sight): void {
    const { clock } = this.#around;
    const last = this.failures?.last;
    const isWell =
      state.active === "active" && (this.course === undefined || this.course.state === "healthy");
    this.#settling?.cancel();
    this.#settling = undefined;
    if (!isWell || last === undefined || this.#known === undefined) return;
    const now = clock.wall();
    // The clock may have been set back since.
    const wellSince = Math.min(now, Math.max(last, state.since));
    const leftMs = wellSince + (file?.failureWindowMs ?? defaultWindowMs) - now;
    if (leftMs <= 0) return this.#remember({ ...this.#known, log: noFailures });
    this.#settling = clock.timer(leftMs + 1, this.#onSettled);
  }

  #choose({ file, state }: Sight): Remedy | undefined {
    const known = this.#known;
    if (known === undefined || file === undefined) return undefined;
    const action = remedyFor(file, state, this.course);
    if (action === undefined || known.log.failures.length === 0) {
      if (known.log.waiting !== undefined)
        this.#remember({ ...known, log: { ...known.log, waiting: undefined } });
      return undefined;
    }
    const { clock, random } = this.#around;
    const now = clock.wall();
    // One that ends later than any wait was begun by another clock.
    const { waiting } = known.log;
    if (waiting !== undefined && waiting.until <= now + 2 * longestPauseMs)
      return { action, at: waiting.until };
    const at = now + Math.round(pauseBefore(known.log, action === "restart") * (0.9 + 0.2 * random.next()));
    this.#remember({ ...known, log: withWait(known.log, now, at) });
    return { action, at };
  }

  #remember(health: RememberedHealth): void {
    const isSame = JSON.stringify(health) === JSON.stringify(this.#known);
    this.#known = health;
    if (isSame) return;
    const isWorthIt = health.log.failures.length > 0 || health.found !== undefined;
    if (isWorthIt) this.#around.memory.set(this.#name, health);
    else this.#around.memory.delete(this.#name);
  }
}

function remedyFor(
  file: UnitFileFacts,
  { active }: UnitState,
  course: HealthCourse | undefined,
): Remedy["action"] | undefined {
  if (active === "failed") return file.isRetried ? "start" : undefined;
  const isIll = active === "active" && course?.state === "unhealthy";
  return isIll && file.health?.onFailure === "restart" ? "restart" : undefined;
}

const orderKey = ({ hash, restarts, desired }: ScheduleEntry): string => `${hash} ${restarts} ${desired}`;

const untouched = { counted: "", log: noFailures } as const;

/** What systemd did before this order is not this order's failure. */
const baseline = ({ invocation, restarts }: UnitState) => ({ invocation, restarts });
