// A machine with its agent, a store, and a clock that the test moves.
import { Agent } from "../../src/agent/agent.ts";
import type { ProofSources } from "../../src/agent/proof.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { type Behaviour, SimulatedHost } from "../../src/host/simulated-host.ts";
import { keys } from "../../src/model/keys.ts";
import type { Member } from "../../src/model/machine.ts";
import type { ScheduleEntry, UnitStatus } from "../../src/model/schedule.ts";
import { scheduleCodec, statusCodec } from "../../src/model/schedule.ts";
import { BodyCache, hashBody } from "../../src/registry/body-cache.ts";
import { MachineSession } from "../../src/registry/machine-session.ts";
import { SimulatedStore } from "../../src/registry/simulated-store.ts";
import { machineId, machineRecord, orderRecord } from "../registry/records.ts";

export const leaseSeconds = 6;

export class Stage implements AsyncDisposable {
  readonly clock = new SimulatedClock();
  readonly store = new SimulatedStore(this.clock);
  readonly door = this.store.door();
  readonly machine = machineId(1);
  readonly host: SimulatedHost;
  readonly proof: ProofSources;
  others: readonly Member[] = [];
  #agent: Agent | undefined;
  #session: MachineSession | undefined;

  constructor(options: { behaviour?: (unit: string) => Behaviour; proof?: ProofSources } = {}) {
    const { behaviour, proof } = options;
    this.host = new SimulatedHost({
      clock: this.clock,
      machineId: this.machine,
      hostname: "m1",
      ...(behaviour === undefined ? {} : { behaviour }),
    });
    this.proof = proof ?? {
      storeRefuses: () => Promise.resolve(!this.store.isRunning && this.door.state === "open"),
      memberIsLost: () => Promise.resolve(false),
    };
    this.others = [{ ...machineRecord(2), joined: 1 }];
  }

  get session(): MachineSession {
    if (this.#session === undefined) throw new Error("no daemon runs");
    return this.#session;
  }

  get hasDaemon(): boolean {
    return this.#agent !== undefined;
  }

  /** Starts the daemon's part: a session and an agent on what the host has. */
  async startDaemon(): Promise<Agent> {
    const { clock, host, door: store, proof } = this;
    const log = silentLog;
    const random = seededRandom(1);
    const facts = await host.facts();
    this.#session = MachineSession.open(store, {
      machine: machineRecord(1, { bootId: facts.bootId }),
      memory: {
        read: () => host.readState("lease.json"),
        write: (text) => host.writeState("lease.json", text),
      },
      clock,
      random,
      log,
    });
    this.#agent = await Agent.start({
      host,
      store,
      session: this.#session,
      bodies: new BodyCache(store),
      proof,
      others: () => this.others,
      address: "10.0.0.1",
      leaseMs: leaseSeconds * 1000,
      cpus: 2,
      clock,
      random,
      log,
    });
    return this.#agent;
  }

  async stopDaemon(): Promise<void> {
    const closing = [this.#agent, this.#session].flatMap((one) => one?.[Symbol.asyncDispose]() ?? []);
    this.#agent = undefined;
    this.#session = undefined;
    await this.clock.advance(0);
    await Promise.all(closing);
    await this.host[Symbol.asyncDispose]();
  }

  /** Lets time pass in small steps, so that what was asked for begins at once. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(0);
    for (let left = ms; left > 0; left -= 25) await this.clock.advance(Math.min(25, left));
  }

  /** Orders a unit with this file. */
  order(unit: string, body: string, changes: Partial<ScheduleEntry> = {}): void {
    const hash = hashBody(body);
    const entry = orderRecord(unit, { hash, ...changes });
    this.store.txn({
      compare: [],
      write: [
        { put: keys.body(hash), value: body },
        { put: keys.schedule(this.machine, unit), value: scheduleCodec.encode(entry) },
      ],
    });
  }

  withdraw(unit: string): void {
    this.store.txn({ compare: [], write: [{ delete: keys.schedule(this.machine, unit) }] });
  }

  status(unit: string): UnitStatus | undefined {
    const key = keys.status(this.machine, unit);
    const stored = this.store.values.find((value) => value.key === key);
    return stored && statusCodec.decode(key, stored.value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopDaemon();
  }
}

export const plainFile = "[Service]\nExecStart=/usr/bin/sleep infinity\n";
