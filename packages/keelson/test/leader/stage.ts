// A store in memory, machines that only keep their leases, and candidates for leader, on one simulated clock.
import { createLog, type Log, silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { seededRandom } from "../../src/base/random.ts";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { Leader } from "../../src/leader/leader.ts";
import type { Decider } from "../../src/model/decision.ts";
import { keys, machineAndUnit, prefixes } from "../../src/model/keys.ts";
import { machineCodec, memberCodec } from "../../src/model/machine.ts";
import { scheduleCodec, statusCodec, type ScheduleEntry } from "../../src/model/schedule.ts";
import { type Unit, unitCodec } from "../../src/model/unit.ts";
import { BodyCache, hashBody } from "../../src/registry/body-cache.ts";
import { ClusterView } from "../../src/registry/cluster-view.ts";
import { SimulatedStore } from "../../src/registry/simulated-store.ts";
import type { StoreWrite } from "../../src/registry/store-client.ts";
import { machineId, machineRecord, statusRecord, unitRecord } from "../registry/records.ts";
import { SlowDoor } from "./slow-door.ts";

export interface Candidate extends AsyncDisposable {
  readonly leader: Leader;
  readonly door: SlowDoor;
  readonly machines: ClusterView;
  readonly metrics: Metrics;
}

export class Stage implements AsyncDisposable {
  readonly clock = new SimulatedClock();
  readonly store = new SimulatedStore(this.clock);
  readonly #leases = new Map<number, bigint>();
  readonly #candidates: Candidate[] = [];

  /** Starts a candidate and lets it look around. */
  async candidate(number: number, log: Log = silentLog, deciders?: readonly Decider[]): Promise<Candidate> {
    const { clock, store } = this;
    const door = new SlowDoor(store);
    const random = seededRandom(number);
    const metrics = new Metrics();
    const machines = ClusterView.open(door, { scope: "machines", log, clock, random });
    const leader = Leader.start({
      machine: machineId(number),
      store: door,
      bodies: new BodyCache(door),
      machines,
      leaseSeconds: 6,
      leaderLeaseSeconds: 4,
      clock,
      random,
      log,
      metrics,
      ...(deciders && { deciders }),
    });
    const dispose = async (): Promise<void> => {
      await leader[Symbol.asyncDispose]();
      await machines[Symbol.asyncDispose]();
    };
    const candidate = { leader, door, machines, metrics, [Symbol.asyncDispose]: dispose };
    this.#candidates.push(candidate);
    await this.pass(50);
    return candidate;
  }

  machine(number: number, metadata: Readonly<Record<string, string>> = {}): void {
    const lease = this.store.grant(6);
    const record = machineRecord(number, { metadata });
    const { id, name, address, apiPort } = record;
    this.#leases.set(number, lease);
    this.write(
      { put: keys.machine(id), value: machineCodec.encode(record), lease },
      { put: keys.member(id), value: memberCodec.encode({ id, name, address, apiPort, joined: 1 }) },
    );
  }

  /** From now on the machine's lease is not renewed. */
  crash(number: number): void {
    this.#leases.delete(number);
  }

  unit(name: string, fields: Partial<Unit> = {}, body = "[Service]\nExecStart=/bin/true\n"): void {
    const hash = hashBody(body);
    const unit = unitRecord(name, { hash, ...fields });
    this.write(
      { put: keys.body(hash), value: body },
      { put: keys.unit(name), value: unitCodec.encode(unit) },
    );
  }

  /** The machine reports what it was ordered to run. */
  report(number: number): void {
    const lease = this.#leases.get(number);
    if (lease === undefined) return;
    for (const { machine, entry } of this.orders()) {
      if (machine !== `m${number}`) continue;
      const value = statusCodec.encode(statusRecord(entry.unit, { hash: entry.hash }));
      this.write({ put: keys.status(machineId(number), entry.unit), value, lease });
    }
  }

  write(...write: StoreWrite[]): void {
    this.store.txn({ compare: [], write });
  }

  orders(): { readonly machine: string; readonly entry: ScheduleEntry }[] {
    return this.store.values.flatMap(({ key, value }) => {
      const place = machineAndUnit(prefixes.schedule, key);
      if (place === undefined) return [];
      return [{ machine: `m${Number.parseInt(place.machine, 16)}`, entry: scheduleCodec.decode(key, value) }];
    });
  }

  /** "a.service m1, b.service m2" */
  placed(): string {
    return this.orders()
      .map(({ machine, entry }) => `${entry.unit} ${machine}`)
      .sort((a, b) => (a < b ? -1 : 1))
      .join(", ");
  }

  alarm(name: string): string | undefined {
    const stored = this.store.values.find(({ key }) => key === keys.alarm(name));
    return stored && new TextDecoder().decode(stored.value);
  }

  /** Lets time pass; machines renew their leases meanwhile. */
  async pass(ms: number): Promise<void> {
    // What was just written is heard first.
    await this.clock.advance(0);
    for (let left = ms; left > 0; left -= 100) {
      await this.clock.advance(Math.min(100, left));
      if (!this.store.isRunning) continue;
      for (const lease of this.#leases.values()) this.store.renew(lease);
      this.store.expire();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = Promise.all(this.#candidates.map((candidate) => candidate[Symbol.asyncDispose]()));
    await this.clock.advance(10_000);
    await closing;
  }
}

/** A log that keeps its messages, for tests that look at what was said. */
export function keptLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  return { log: createLog((line) => lines.push(line)), lines };
}
