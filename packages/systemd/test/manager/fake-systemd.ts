// A bus with a systemd behind it that does what the test tells it: signals in any order, answers late or never.
import type { Bus, BusCall, BusSignal, Clock, SignalMatch } from "../../src/index.ts";
import { SystemdError } from "../../src/index.ts";
import { matchesSignal } from "../../src/manager/bus.ts";
import { matcher } from "../../src/manager/pattern.ts";
import { unitNameOfPath, unitPath } from "../../src/manager/unit-path.ts";

export type Answer = (call: BusCall) => unknown;

export class FakeSystemd {
  /** Properties of the units that are loaded. */
  readonly units = new Map<string, Record<string, unknown>>();
  readonly calls: string[] = [];
  /** Units whose properties were read. */
  readonly read = new Set<string | undefined>();
  /** Answers that go before the usual ones, by member. */
  readonly answers = new Map<string, Answer>();
  buses: FakeBus[] = [];
  reachable = true;

  readonly dial = async (): Promise<Bus> => {
    await Promise.resolve();
    if (!this.reachable) throw new SystemdError("bus-unavailable", "there is no bus");
    const bus = new FakeBus(this);
    this.buses.push(bus);
    return bus;
  };

  load(name: string, active: string, more: Record<string, unknown> = {}): void {
    const before = this.units.get(name);
    this.units.set(name, {
      LoadState: "loaded",
      SubState: active,
      ActiveState: active,
      NeedDaemonReload: false,
      ...more,
    });
    if (before === undefined) this.signal("UnitNew", [name, unitPath(name)]);
  }

  /** Changes properties and tells of it, as systemd does. */
  change(name: string, properties: Record<string, unknown>): void {
    Object.assign(this.units.get(name) ?? {}, properties);
    this.emit({
      path: unitPath(name),
      interface: "org.freedesktop.DBus.Properties",
      member: "PropertiesChanged",
      body: ["org.freedesktop.systemd1.Unit", properties, []],
    });
  }

  unload(name: string): void {
    this.units.delete(name);
    this.signal("UnitRemoved", [name, unitPath(name)]);
  }

  signal(member: string, body: unknown[]): void {
    this.emit({
      path: "/org/freedesktop/systemd1",
      interface: "org.freedesktop.systemd1.Manager",
      member,
      body,
    });
  }

  jobRemoved(path: string, unit: string, result: string): void {
    this.signal("JobRemoved", [Number(path.split("/").at(-1)), path, unit, result]);
  }

  emit(signal: BusSignal): void {
    for (const bus of this.buses) bus.deliver(signal);
  }

  /** The connection breaks. */
  cut(): void {
    for (const bus of this.buses.splice(0)) bus.close();
  }

  answer(call: BusCall): unknown {
    this.calls.push(call.member);
    const special = this.answers.get(call.member);
    if (special) return special(call);
    if (call.member === "GetAll") this.read.add(unitNameOfPath(call.path));
    if (call.member === "GetAll") return [{ ...this.units.get(unitNameOfPath(call.path) ?? "") }];
    if (call.member === "Get") return ["running"];
    if (call.member === "ListUnitsByPatterns") {
      const matches = matcher(call.body?.[1] as string[]);
      return [[...this.units].filter(([name]) => matches(name)).map(([name, unit]) => row(name, unit))];
    }
    return [];
  }
}

const row = (name: string, unit: Record<string, unknown>): unknown[] => [
  name,
  name,
  unit["LoadState"],
  unit["ActiveState"],
  unit["SubState"],
  "",
  unitPath(name),
  0,
  "",
  "/",
];

export class FakeBus implements Bus {
  readonly #systemd: FakeSystemd;
  readonly #subscriptions: { match: SignalMatch; listener: (signal: BusSignal) => void }[] = [];
  readonly #closed = Promise.withResolvers<never>();
  #onClose: ((cause: unknown) => void) | undefined;

  constructor(systemd: FakeSystemd) {
    this.#systemd = systemd;
    this.#closed.promise.catch(() => undefined);
  }

  async call(call: BusCall): Promise<readonly unknown[]> {
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void =>
      aborted.reject(new SystemdError("aborted", "given up", { cause: call.signal?.reason }));
    if (call.signal?.aborted) onAbort();
    call.signal?.addEventListener("abort", onAbort, { once: true });
    const answer = Promise.resolve(call).then((asked) => this.#systemd.answer(asked));
    try {
      return (await Promise.race([answer, this.#closed.promise, aborted.promise])) as unknown[];
    } finally {
      call.signal?.removeEventListener("abort", onAbort);
    }
  }

  subscribe(match: SignalMatch, listener: (signal: BusSignal) => void): Promise<void> {
    this.#subscriptions.push({ match, listener });
    return Promise.resolve();
  }

  onClose(listener: (cause: unknown) => void): void {
    this.#onClose = listener;
  }

  deliver(signal: BusSignal): void {
    for (const { match, listener } of this.#subscriptions) if (matchesSignal(match, signal)) listener(signal);
  }

  close(): void {
    this.#closed.reject(new SystemdError("bus-closed", "the bus is gone"));
    this.#onClose?.(undefined);
    this.#onClose = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#systemd.buses = this.#systemd.buses.filter((bus) => bus !== this);
    this.close();
    await Promise.resolve();
  }
}

/** Time that the test moves. */
export class FakeClock implements Clock {
  #now = 0;
  readonly #sleepers = new Set<{ readonly due: number; readonly wake: () => void }>();

  now(): number {
    return this.#now;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const end = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", giveUp);
      };
      const giveUp = (): void => {
        end();
        reject(signal?.reason as Error);
      };
      const wake = (): void => {
        end();
        resolve();
      };
      const sleeper = { due: this.#now + milliseconds, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", giveUp, { once: true });
    });
  }

  /** Lets everything that is ready run, moves time in steps, and lets what that wakes run. */
  async pass(milliseconds: number): Promise<void> {
    await settled();
    const end = this.#now + milliseconds;
    for (;;) {
      const next = [...this.#sleepers].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.due);
      next.wake();
      await settled();
    }
    this.#now = end;
  }
}

/** Everything that was ready has run. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => void setImmediate(resolve));
}
