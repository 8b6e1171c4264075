// This machine in the cluster: its lease, its record, and what it reports. The agent owns one and hears of
// every renewal, since the fence counts from there.
// Invariants: `sentAt` is when the renewal was sent, so the store keeps the lease at least until sentAt + T;
// after a new lease everything that was reported is written again under it; nothing is written twice.
import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { describeError, KeelError } from "../base/errors.ts";
import { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import type { Random } from "../base/random.ts";
import type { Machine } from "../model/machine.ts";
import type { UnitStatus } from "../model/schedule.ts";
import { readMemory, writeMemory } from "./lease-memory.ts";
import type { LeaseMemory } from "./lease-memory.ts";
import { register } from "./registration.ts";
import { storeErrorCode } from "./store-client.ts";
import type { StoreClient } from "./store-client.ts";
import { StatusReports } from "./status-reports.ts";

export interface MachineSessionOptions {
  readonly machine: Omit<Machine, "since">;
  /** What survives the daemon's restart. */
  readonly memory: LeaseMemory;
  /** Calls back when another store is in the place of the former one; returns how to stop that. */
  readonly onReplaced?: (listener: () => void) => () => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: Random;
  readonly signal?: AbortSignal;
}

export interface Renewal {
  /** `Clock.now()` when the request was sent that the store has answered. */
  readonly sentAt: number;
  /** Grows with every new lease: what was agreed under an older one may have been given away. */
  readonly epoch: number;
}

export class MachineSession implements AsyncDisposable {
  readonly #client: StoreClient;
  readonly #options: MachineSessionOptions;
  readonly #lifetime: Lifetime;
  readonly #reports: StatusReports;
  readonly #listeners = new Set<(renewal: Renewal) => void>();
  #lease = 0n;
  #epoch = 0;
  #registered = false;
  #renewal: Renewal | undefined;
  #since: number;
  #heardAt: number | undefined;
  #problem = "";
  #metadata: Machine["metadata"];

  private constructor(client: StoreClient, options: MachineSessionOptions) {
    this.#client = client;
    this.#options = options;
    this.#lifetime = new Lifetime(options.log, options.signal);
    this.#since = options.clock.wall();
    this.#metadata = options.machine.metadata;
    this.#reports = new StatusReports(client, options.machine.id, options.clock);
  }

  /** Starts the session. It registers, renews and reports until it is closed; closing leaves the lease alive. */
  static open(client: StoreClient, options: MachineSessionOptions): MachineSession {
    const session = new MachineSession(client, options);
    const stop = options.onReplaced?.(() => session.#replaced());
    if (stop !== undefined) session.#lifetime.defer(stop);
    session.#lifetime.run("machine session", (signal) => session.#run(signal));
    session.#lifetime.run("status reports", (signal) => session.#report(signal));
    return session;
  }

  get machine(): string {
    return this.#options.machine.id;
  }

  /** The last renewal that the store answered; undefined before the first. */
  get renewal(): Renewal | undefined {
    return this.#renewal;
  }

  /** `Clock.now()` when the store answered last. */
  get heardAt(): number | undefined {
    return this.#heardAt;
  }

  /** Why the machine is not registered, in words; empty when it is. */
  get problem(): string {
    return this.#problem;
  }

  /** Tells the cluster of other metadata, with the next renewal. */
  changeMetadata(metadata: Machine["metadata"]): void {
    this.#metadata = metadata;
    this.#registered = false;
  }

  /** Calls back after every renewal; returns how to stop that. */
  onRenewal(listener: (renewal: Renewal) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reports a unit's status, or that it is gone (`undefined`). Written soon, together with others. */
  report(unit: string, status: UnitStatus | undefined): void {
    this.#reports.set(unit, status);
  }

  /** Takes away what an earlier daemon reported about units that are not among these. */
  retainOnly(units: ReadonlySet<string>): void {
    this.#reports.retainOnly(units);
  }

  /** Resolves when everything reported so far is in the store, or the signal aborts. */
  flushed(signal: AbortSignal): Promise<void> {
    return this.#reports.flushed(signal);
  }

  /** Gives the lease up at once: the machine shuts down, and its units may move. */
  async leave(): Promise<void> {
    await this.#lifetime.close();
    if (this.#lease !== 0n) await this.#client.revokeLease(this.#lease, { timeoutMs: 1500 });
    await this.#options.memory.write("");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime.close();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log, machine, random = systemRandom } = this.#options;
    await this.#remember();
    const renewMs = (machine.leaseSeconds * 1000) / 4;
    const backoff = new Backoff({ firstMs: 150, maxMs: Math.min(1000, renewMs) }, random);
    while (!signal.aborted) {
      try {
        const sentAt = clock.now();
        await this.#keepLease(signal, renewMs);
        if (!this.#registered) await this.#register(signal);
        this.#renewed(sentAt);
        backoff.reset();
        await clock.sleep(Math.max(0, sentAt + renewMs - clock.now()), signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#noteProblem(error);
        if (storeErrorCode(error) === "LEASE_NOT_FOUND" && this.#lease !== 0n) {
          this.#dropLease();
          backoff.reset();
          continue;
        }
        log.debug("the lease was not renewed", { error: describeError(error) });
        await clock.sleep(error instanceof KeelError ? 1000 : backoff.next(), signal);
      }
    }
  }

  async #keepLease(signal: AbortSignal, timeoutMs: number): Promise<void> {
    if (this.#lease !== 0n) return this.#client.renewLease(this.#lease, { signal, timeoutMs });
    const { machine } = this.#options;
    this.#lease = await this.#client.grantLease(machine.leaseSeconds, { signal, timeoutMs });
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { machine, memory, log, clock } = this.#options;
    const record: Machine = { ...machine, metadata: this.#metadata, since: this.#since };
    const { since, formerLease } = await register(this.#client, record, {
      lease: this.#lease,
      joined: clock.wall(),
      signal,
    });
    this.#since = since;
    this.#epoch += 1;
    this.#registered = true;
    const remembered = { lease: this.#lease, machine: machine.id, bootId: machine.bootId, since };
    await memory.write(writeMemory(remembered));
    await this.#reports.startOver(this.#lease, signal);
    // Only now: with the former lease goes all that still hangs on it.
    if (formerLease !== 0n) await this.#client.revokeLease(formerLease, { signal }).catch(() => {});
    this.#problem = "";
    log.info("registered", { machine: machine.id });
  }

  /** A restored store may know the lease, and hold what this machine said of itself long ago. */
  #replaced(): void {
    if (!this.#registered) return;
    this.#options.log.info("the store was replaced by another one; registering anew");
    this.#registered = false;
  }

  #renewed(sentAt: number): void {
    this.#heardAt = this.#options.clock.now();
    this.#renewal = { sentAt, epoch: this.#epoch };
    for (const listener of this.#listeners) listener(this.#renewal);
  }

  #dropLease(): void {
    this.#options.log.warn("the store let the machine's lease expire; registering anew");
    this.#lease = 0n;
    this.#registered = false;
    this.#reports.suspend();
  }

  /** Takes up the lease of an earlier daemon of this boot. */
  async #remember(): Promise<void> {
    const { memory, machine } = this.#options;
    const remembered = readMemory(await memory.read().catch(() => undefined));
    if (remembered?.machine !== machine.id || remembered.bootId !== machine.bootId) return;
    this.#lease = remembered.lease;
    this.#since = remembered.since;
  }

  #noteProblem(error: unknown): void {
    const problem = describeError(error);
    if (error instanceof KeelError && problem !== this.#problem) this.#options.log.error(problem);
    this.#problem = problem;
  }

  async #report(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#reports.flushForever(signal);
      } catch (error) {
        if (signal.aborted) return;
        // A lease that is gone shows at the next renewal.
        log.debug("reporting is interrupted", { error: describeError(error) });
        await clock.sleep(300, signal);
      }
    }
  }
}
