// The agent of one machine: sees its orders, carries them out, reports what systemd says. daemons/ starts it.
// Invariants: what runs is never touched unless an order differs from what was carried out; no unit delays
// another; singletons run only while the lease is known to hold, or to be in nobody's hands.
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Host, WrittenUnit } from "../host/host.ts";
import type { Member } from "../model/machine.ts";
import type { ScheduleEntry } from "../model/schedule.ts";
import type { BodyCache } from "../registry/body-cache.ts";
import { MachineOrders } from "../registry/machine-orders.ts";
import type { MachineSession, Renewal } from "../registry/machine-session.ts";
import type { StoreClient } from "../registry/store-client.ts";
import { ContainerReader } from "./container-reader.ts";
import { Fencer } from "./fencer.ts";
import { HealthChecks } from "./health/health-checks.ts";
import { HealthMemory } from "./health/health-memory.ts";
import type { ProofSources } from "./proof.ts";
import { StartPace } from "./start-pace.ts";
import { UnitTask } from "./unit-task.ts";
import type { UnitSurroundings } from "./unit-surroundings.ts";
import type { FenceHow } from "./unit-task.ts";

export interface AgentOptions {
  readonly host: Host;
  readonly store: StoreClient;
  readonly session: MachineSession;
  readonly bodies: BodyCache;
  readonly proof: ProofSources;
  /** The other members of the cluster, as last known; undefined when they never were. */
  readonly others: () => readonly Member[] | undefined;
  readonly address: string;
  readonly leaseMs: number;
  readonly cpus: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal?: AbortSignal;
}

export class Agent implements AsyncDisposable {
  readonly #options: AgentOptions;
  readonly #lifetime: Lifetime;
  readonly #tasks = new Map<string, UnitTask>();
  readonly #surroundings: UnitSurroundings;
  readonly #fencer: Fencer;
  #written: ReadonlyMap<string, WrittenUnit> = new Map();
  #orders: MachineOrders | undefined;
  #latest: ReadonlyMap<string, ScheduleEntry> | undefined;
  /** The lease under which the orders were read afresh. */
  #freshEpoch = 0;
  #refreshTurn = 0;

  private constructor(options: AgentOptions, memory: HealthMemory) {
    const { session, clock, cpus } = options;
    this.#options = options;
    this.#lifetime = new Lifetime(options.log, options.signal);
    this.#fencer = new Fencer(
      {
        ...options,
        onFence: (units, how) => this.#fence(units, how),
        onRelease: () => this.#refreshOrders(),
      },
      this.#lifetime,
    );
    this.#surroundings = {
      ...options,
      fencer: this.#fencer,
      containers: new ContainerReader(options, this.#lifetime, (name) => this.#tasks.get(name)?.refresh()),
      checks: new HealthChecks(options, this.#lifetime, (name) => this.#tasks.get(name)?.refresh()),
      memory,
      pace: new StartPace(clock, { places: Math.max(2, 2 * cpus), longestMs: 1500 }),
      lifetime: this.#lifetime,
      mayStartSingletons: () => this.#fencer.isOpen && this.#freshEpoch === session.renewal?.epoch,
      isInPlace: (name) => this.#tasks.get(name)?.isInPlace ?? false,
      onProgress: (name) => this.#kickWaiting(name),
      report: (name, status) => session.report(name, status),
      onGone: (name) => this.#gone(name),
    };
  }

  /** Starts it on what it finds on the machine. */
  static async start(options: AgentOptions): Promise<Agent> {
    const agent = new Agent(options, await HealthMemory.open(options.host, options.log));
    await agent.#adopt();
    return agent;
  }

  /** How many of the machine's units the agent looks after. */
  get units(): number {
    return this.#tasks.size;
  }

  /**
   * The machine shuts down: waits until its units have stopped, and gives the lease up, so that they move at
   * once. When they do not stop in time the lease is left to run out.
   */
  async leave(timeoutMs: number): Promise<boolean> {
    const { host, session } = this.#options;
    const limit = AbortSignal.timeout(timeoutMs);
    const names = [...(await host.written()).keys()];
    try {
      const stopped = await Promise.all(names.map((name) => host.act("stop", name, limit)));
      if (!stopped.every((outcome) => outcome.done || outcome.failed)) return false;
    } catch {
      return false;
    }
    await this.#lifetime.close();
    await session.leave();
    return true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime.close();
  }

  async #adopt(): Promise<void> {
    const { host, store, session, log } = this.#options;
    this.#written = await host.written();
    const fenced = [...this.#written.values()].filter(({ note }) => note.fenced);
    const hasActed = await this.#fencer.start(fenced.map(({ name }) => name));
    if (hasActed && fenced.length > 0) {
      log.warn("the fence acted while no daemon ran", { units: fenced.length });
      // What it stopped is to be started again if it is still ordered here.
      await Promise.all(fenced.map(({ name, note }) => host.note(name, { ...note, hash: "" })));
      this.#written = await host.written();
    }
    this.#lifetime.defer(host.onChange((names) => this.#changed(names)));
    let lastEpoch = session.renewal?.epoch;
    const onRenewal = ({ epoch }: Renewal): void => {
      if (epoch !== lastEpoch) this.#refreshOrders();
      lastEpoch = epoch;
    };
    this.#lifetime.defer(session.onRenewal(onRenewal));
    this.#orders = MachineOrders.open(store, {
      ...this.#options,
      machine: session.machine,
      signal: this.#lifetime.signal,
      onOrders: (orders, unreadable) => this.#take(orders, unreadable),
    });
    this.#lifetime.own(this.#orders);
    this.#refreshOrders();
  }

  #take(orders: ReadonlyMap<string, ScheduleEntry>, unreadable: ReadonlySet<string>): void {
    const isFirst = this.#latest === undefined;
    this.#latest = orders;
    const names = new Set([
      ...orders.keys(),
      ...this.#tasks.keys(),
      // Those whose order could not be read until now were left as they were found.
      ...this.#written.keys(),
    ]);
    for (const name of names) if (!unreadable.has(name)) this.#task(name).setOrder(orders.get(name));
    if (isFirst) {
      this.#options.session.retainOnly(names);
      this.#surroundings.memory.retain(names);
    }
    this.#written = new Map([...this.#written].filter(([name]) => unreadable.has(name)));
  }

  #task(name: string): UnitTask {
    const known = this.#tasks.get(name);
    if (known !== undefined) return known;
    const task = new UnitTask(name, this.#written.get(name), this.#surroundings);
    this.#tasks.set(name, task);
    return task;
  }

  /** Reads the orders afresh under the present lease; only then may singletons start. */
  #refreshOrders(): void {
    const { session, clock, log } = this.#options;
    const epoch = session.renewal?.epoch;
    this.#freshEpoch = 0;
    if (epoch === undefined) return;
    const turn = (this.#refreshTurn += 1);
    this.#lifetime.run("fresh orders", async (signal) => {
      while (!signal.aborted && turn === this.#refreshTurn) {
        try {
          await this.#orders?.refresh(signal);
          if (turn !== this.#refreshTurn) return;
          this.#freshEpoch = epoch;
          for (const task of this.#tasks.values()) task.kick();
          return;
        } catch (error) {
          log.debug("the orders cannot be read", { error: describeError(error) });
          await clock.sleep(500, signal);
        }
      }
    });
  }

  #changed(names: readonly string[]): void {
    for (const name of names) this.#tasks.get(name)?.refresh();
  }

  #kickWaiting(name: string): void {
    for (const task of this.#tasks.values()) if (task.waitsFor(name)) task.kick();
  }

  #gone(name: string): void {
    this.#tasks.delete(name);
    // An order that came while the unit was on its way out.
    const order = this.#latest?.get(name);
    if (order !== undefined) this.#task(name).setOrder(order);
  }

  #fence(units: readonly string[], how: FenceHow): void {
    for (const name of units) {
      const task = this.#tasks.get(name);
      const fence = task === undefined ? () => this.#fenceAdopted(name, how) : () => task.fence(how);
      this.#lifetime.run(`fence ${name}`, fence);
    }
  }

  /** A unit that was found here and whose orders were never seen. */
  async #fenceAdopted(name: string, { kill }: FenceHow): Promise<void> {
    const { host } = this.#options;
    const written = this.#written.get(name);
    if (written !== undefined) {
      const note = { ...written.note, hash: "", restarts: -1 };
      this.#written = new Map([...this.#written, [name, { ...written, note }]]);
      await host.note(name, note);
    }
    if (kill) await host.kill(name);
    else await host.act("stop", name, this.#lifetime.signal);
  }
}
