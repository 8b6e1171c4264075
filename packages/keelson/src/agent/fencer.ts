// Carries fence.ts out: writes the fence's orders with every renewal, looks for proof while the store is silent,
// and stops the machine's singletons when their time is over. The agent asks `isOpen` before it starts one.
import type { Clock, Timer } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import type { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import type { Host } from "../host/host.ts";
import type { Member } from "../model/machine.ts";
import type { MachineSession } from "../registry/machine-session.ts";
import { decideFence } from "./fence.ts";
import type { FenceDecision } from "./fence.ts";
import { seekProof } from "./proof.ts";
import type { ProofSources } from "./proof.ts";

export interface FencerOptions {
  readonly host: Host;
  readonly session: MachineSession;
  readonly proof: ProofSources;
  /** The other members of the cluster, as last known; undefined when they never were. */
  readonly others: () => readonly Member[] | undefined;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when the singletons must be stopped (`kill`: at once). What ended since `stopAt` was fenced already. */
  readonly onFence: (
    units: readonly string[],
    how: { readonly kill: boolean; readonly stopAt: number },
  ) => void;
  /** Called when the store is heard again after that. */
  readonly onRelease: () => void;
}

export class Fencer {
  readonly #options: FencerOptions;
  readonly #lifetime: Lifetime;
  readonly #units = new Set<string>();
  #provenAt: number | undefined;
  #inheritedFenceAt: number | undefined;
  #action: FenceDecision["action"] = "none";
  #timer: Timer | undefined;
  #seeking = false;
  #writing: Promise<void> = Promise.resolve();
  /** When the fence acted last, as far as this daemon knows. */
  #fencedAt: number | undefined;

  constructor(options: FencerOptions, lifetime: Lifetime) {
    this.#options = options;
    this.#lifetime = lifetime;
    lifetime.defer(() => this.#timer?.cancel());
    lifetime.defer(options.session.onRenewal(() => this.#renewed()));
  }

  /**
   * Takes up what an earlier daemon left. Returns whether the fence has acted meanwhile: the units it stopped
   * are to be started again if they still belong here.
   */
  async start(units: Iterable<string>): Promise<boolean> {
    const { host, clock } = this.#options;
    for (const unit of units) this.#units.add(unit);
    this.#fencedAt = await host.lastFenced();
    const deadline = await host.readFenceDeadline();
    if (deadline === undefined) return false;
    const leftMs = (deadline - host.uptimeSeconds()) * 1000;
    this.#inheritedFenceAt = clock.now() + leftMs;
    this.#evaluate();
    return leftMs <= 0;
  }

  /** Whether singletons may run now. */
  get isOpen(): boolean {
    const isHeard = this.#options.session.renewal !== undefined;
    // Asked of the clock and not of the last timer: the machine may have stood still.
    return isHeard && this.#action === "none" && this.#decide()?.action === "none";
  }

  /** Puts a unit under the fence; resolves when the fence knows of it. To be awaited before it is started. */
  cover(unit: string): Promise<void> {
    if (this.#units.has(unit)) return this.#writing;
    this.#units.add(unit);
    return this.#write();
  }

  uncover(unit: string): Promise<void> {
    return this.#units.delete(unit) ? this.#write() : Promise.resolve();
  }

  #renewed(): void {
    this.#provenAt = undefined;
    this.#inheritedFenceAt = undefined;
    const wasClosed = this.#action !== "none";
    this.#action = "none";
    void this.#write();
    this.#evaluate();
    if (wasClosed && this.#action === "none") this.#options.onRelease();
    this.#lifetime.run("fence", () => this.#notice(wasClosed));
  }

  /**
   * On a busy machine the fence may come first, and contact be back before this daemon would have acted: what was
   * stopped then is to start again, and nobody else knows of it.
   */
  async #notice(hasActedItself: boolean): Promise<void> {
    const { host, clock, log, onFence, onRelease } = this.#options;
    const fencedAt = await host.lastFenced();
    if (fencedAt === undefined || fencedAt === this.#fencedAt) return;
    this.#fencedAt = fencedAt;
    if (hasActedItself) return;
    log.warn("the fence acted before this daemon did", { units: this.#units.size });
    const stopAt = clock.now() - (host.uptimeSeconds() - fencedAt) * 1000;
    onFence([...this.#units], { kill: false, stopAt });
    onRelease();
  }

  #decide(): FenceDecision | undefined {
    const { clock, leaseMs, session } = this.#options;
    return decideFence({
      now: clock.now(),
      leaseMs,
      renewedAt: session.renewal?.sentAt,
      provenAt: this.#provenAt,
      inheritedFenceAt: this.#inheritedFenceAt,
    });
  }

  #evaluate(): void {
    this.#timer?.cancel();
    const { clock, leaseMs, log } = this.#options;
    const decision = this.#decide();
    if (decision === undefined) return;
    if (decision.action !== "none" && decision.action !== this.#action) {
      const units = [...this.#units];
      if (units.length > 0)
        log.warn("out of contact for too long: stopping", { action: decision.action, units });
      this.#options.onFence(units, { kill: decision.action === "kill", stopAt: decision.stopAt });
    }
    this.#action = decision.action;
    if (decision.seekProof && decision.action === "none") this.#seek();
    // In contact the next renewal comes before any of this.
    const seekInMs = decision.seekProof ? leaseMs / 10 : leaseMs / 3;
    const waitMs = Math.max(1, Math.min(decision.nextAt - clock.now(), seekInMs));
    this.#timer = clock.timer(waitMs, () => this.#evaluate());
  }

  #seek(): void {
    if (this.#seeking || this.#units.size === 0) return;
    this.#seeking = true;
    this.#lifetime.run("proof", async (signal) => {
      const { proof, others, clock, log } = this.#options;
      // Whatever is answered holds from the moment of asking.
      const askedAt = clock.now();
      try {
        const proven = await seekProof(proof, others(), signal);
        if (proven === undefined || this.#action !== "none") return;
        if (this.#provenAt === undefined) log.info("the units go on without the store", { because: proven });
        this.#provenAt = askedAt;
        await this.#write();
      } finally {
        this.#seeking = false;
      }
    });
  }

  /** One write at a time, and always the latest. */
  #write(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const { host, clock, log } = this.#options;
      const decision = this.#decide();
      const units = [...this.#units].sort();
      const leftMs = decision === undefined ? undefined : decision.fenceAt - clock.now();
      const deadline =
        leftMs === undefined || units.length === 0 ? undefined : host.uptimeSeconds() + leftMs / 1000;
      try {
        await host.writeFence({ deadline, units });
      } catch (error) {
        log.error("the fence's orders cannot be written", { error: describeError(error) });
      }
    });
    return this.#writing;
  }
}
