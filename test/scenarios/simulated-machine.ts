// One machine of a simulation: the host, and a keeld on it made of the real agent, session, views and leader.
// The daemon can be killed and started; the machine can lose power, be frozen, and be cut off.
import { Agent } from "../../packages/keelson/src/agent/agent.ts";
import type { ProofSources } from "../../packages/keelson/src/agent/proof.ts";
import { Lifetime } from "../../packages/keelson/src/base/lifetime.ts";
import type { Log } from "../../packages/keelson/src/base/log.ts";
import { Metrics } from "../../packages/keelson/src/base/metrics.ts";
import { type Random, seededRandom } from "../../packages/keelson/src/base/random.ts";
import { contactOf } from "../../packages/keelson/src/daemons/contact.ts";
import { KnownMembers } from "../../packages/keelson/src/daemons/known-members.ts";
import type { SimulatedHost } from "../../packages/keelson/src/host/simulated-host.ts";
import { Leader } from "../../packages/keelson/src/leader/leader.ts";
import type { Member } from "../../packages/keelson/src/model/machine.ts";
import { BodyCache } from "../../packages/keelson/src/registry/body-cache.ts";
import { ClusterView } from "../../packages/keelson/src/registry/cluster-view.ts";
import { MachineSession } from "../../packages/keelson/src/registry/machine-session.ts";
import type { SimulatedDoor, SimulatedStore } from "../../packages/keelson/src/registry/simulated-store.ts";
import { HeardStore } from "./heard-store.ts";
import type { PausableClock } from "./pausable-clock.ts";

export const leaseSeconds = 6;

export interface Surroundings {
  readonly store: SimulatedStore;
  readonly clock: PausableClock;
  readonly host: SimulatedHost;
  readonly random: Random;
  /** Where events come twice now and then, by this source of chance. */
  readonly turbulence: Random | undefined;
  readonly log: Log;
  readonly metadata: Readonly<Record<string, string>>;
  /** Asks another machine whether it has contact; false for no answer too. */
  readonly isLost: (member: Member) => boolean;
}

export type MachineState = "up" | "off" | "frozen";
/** How a machine's way to the store is broken; the machines can hear each other through all but a full `cut`. */
export type Break = "cut" | "mute" | "deaf";

interface Daemon {
  readonly lifetime: Lifetime;
  readonly door: SimulatedDoor;
  readonly store: HeardStore;
  readonly machines: ClusterView;
  readonly leader: Leader;
  readonly session: MachineSession;
}

export class SimulatedMachine implements AsyncDisposable {
  readonly name: string;
  readonly #around: Surroundings;
  readonly #closing: Promise<void>[] = [];
  #daemon: Daemon | undefined;
  #state: MachineState = "up";
  #break: Break | undefined;
  #slowMs = 0;

  constructor(name: string, around: Surroundings) {
    this.name = name;
    this.#around = around;
  }

  get host(): SimulatedHost {
    return this.#around.host;
  }

  get state(): MachineState {
    return this.#state;
  }

  /** Whether its way to the store is broken, in whatever direction. */
  get isCut(): boolean {
    return this.#break !== undefined;
  }

  get slowMs(): number {
    return this.#slowMs;
  }

  /** When it sent the last renewal that it knows the store to have had. */
  get renewedAt(): number | undefined {
    return this.#daemon?.session.renewal?.sentAt;
  }

  get clock(): PausableClock {
    return this.#around.clock;
  }

  get isLeading(): boolean {
    return this.#state === "up" && this.#daemon?.leader.isLeading === true;
  }

  get hasDaemon(): boolean {
    return this.#daemon !== undefined;
  }

  /** What `GET /v1/contact` answers; undefined when nobody answers. */
  contact(): boolean | undefined {
    if (this.#daemon === undefined || this.#state !== "up" || this.#break === "cut") return undefined;
    const { store, machines } = this.#daemon;
    const { clock } = this.#around;
    const promise = (): void => machines.interrupt();
    return contactOf(store.lastHeardMs, { clock, leaseMs: leaseSeconds * 1000, promise }).hasContact;
  }

  async startDaemon(): Promise<void> {
    const { store: simulated, clock, host, random, turbulence, log, metadata, isLost } = this.#around;
    const facts = await host.facts();
    const door = simulated.door();
    const store = new HeardStore(door, clock, {
      delayMs: () => Math.round(1 + this.#slowMs + 30 * random.next() ** 6),
      repeats: () => turbulence !== undefined && turbulence.next() < 0.1,
    });
    const lifetime = new Lifetime(log);
    const common = { clock, random, log, signal: lifetime.signal };
    const machines = lifetime.own(ClusterView.open(store, { scope: "machines", ...common }));
    const bodies = new BodyCache(store);
    const members = await KnownMembers.open(host, machines, log);
    const session = MachineSession.open(store, {
      machine: {
        id: facts.machineId,
        name: this.name,
        address: `${this.name}.test`,
        apiPort: 7700,
        bootId: facts.bootId,
        metadata,
        capacity: facts.capacity,
        os: facts.os,
        keeldVersion: "0.1.0",
        leaseSeconds,
      },
      memory: { read: () => host.readState("lease"), write: (text) => host.writeState("lease", text) },
      ...common,
    });
    lifetime.own(session);
    const proof: ProofSources = {
      storeRefuses: () => Promise.resolve(!this.isCut && !simulated.isRunning),
      memberIsLost: (member) => Promise.resolve(this.#break !== "cut" && isLost(member)),
    };
    const leader = lifetime.own(
      Leader.start({
        machine: facts.machineId,
        store,
        bodies,
        machines,
        leaseSeconds,
        leaderLeaseSeconds: 4,
        metrics: new Metrics(),
        ...common,
      }),
    );
    this.#daemon = { lifetime, door, store, machines, leader, session };
    this.#setDoor();
    const agent = await Agent.start({
      host,
      store,
      session,
      bodies,
      proof,
      others: () => members.others(facts.machineId),
      address: `${this.name}.test`,
      leaseMs: leaseSeconds * 1000,
      cpus: facts.capacity.cpus,
      ...common,
    });
    lifetime.own(agent);
  }

  /** kill -9: it says good-bye to nobody. */
  killDaemon(): void {
    if (this.#daemon === undefined) return;
    this.#daemon.door.state = "cut";
    this.#closing.push(this.#daemon.lifetime.close());
    this.#daemon = undefined;
  }

  /** Ends as on an upgrade. */
  async stopDaemon(): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    if (daemon !== undefined) this.#closing.push(daemon.lifetime.close());
    await Promise.resolve();
  }

  losePower(): void {
    this.killDaemon();
    this.#around.clock.resume();
    this.#state = "off";
    this.#around.host.losePower();
  }

  async start(): Promise<void> {
    this.#state = "up";
    await this.startDaemon();
  }

  freeze(): void {
    this.#state = "frozen";
    this.#around.clock.pause();
    this.#setDoor();
  }

  thaw(): void {
    this.#state = "up";
    this.#setDoor();
    this.#around.clock.resume();
  }

  cut(how: Break = "cut"): void {
    this.#break = how;
    this.#setDoor();
  }

  heal(): void {
    this.#break = undefined;
    this.#setDoor();
  }

  /** Each message to the store and back takes so much longer. */
  slow(ms: number): void {
    this.#slowMs = ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === "frozen") this.thaw();
    await this.stopDaemon();
    await Promise.all(this.#closing);
  }

  #setDoor(): void {
    if (this.#daemon === undefined) return;
    this.#daemon.door.state = this.#state === "frozen" ? "cut" : (this.#break ?? "open");
  }
}

/** Each machine has its own chance, so that one that is added changes nothing for the others. */
export const randomOf = (seed: number, name: string): Random =>
  seededRandom(Buffer.from(name).reduce((sum, byte) => sum * 31 + byte, seed));
