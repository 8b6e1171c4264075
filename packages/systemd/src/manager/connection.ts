/**
 * A connection to the manager that comes back: when the bus goes away it is dialled again with growing pauses,
 * and every subscription is made anew before anyone is told that it is up. Calls wait for it; a call that was
 * under way when the bus went is refused with `bus-closed`, because its outcome is not known.
 */
import { SystemdError } from "../error.ts";
import type { Bus, BusCall, BusSignal, SignalMatch } from "./bus.ts";
import type { Clock, SystemdLog } from "./clock.ts";
import { Deadline } from "./deadline.ts";

export const SYSTEMD = "org.freedesktop.systemd1";
export const MANAGER_PATH = "/org/freedesktop/systemd1";
export const MANAGER = "org.freedesktop.systemd1.Manager";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2000;

export interface ConnectionOptions {
  readonly dial: (signal: AbortSignal) => Promise<Bus>;
  readonly clock: Clock;
  readonly log: SystemdLog;
}

/** A call to systemd; the manager object's own interface unless said otherwise. */
export type ManagerCall = Partial<Pick<BusCall, "path" | "interface">> &
  Omit<BusCall, "destination" | "path" | "interface">;

interface Subscription {
  readonly match: SignalMatch;
  readonly listener: (signal: BusSignal) => void;
}

export class ManagerConnection implements AsyncDisposable {
  readonly #options: ConnectionOptions;
  readonly #end = new AbortController();
  readonly #subscriptions: Subscription[] = [];
  readonly #upListeners: (() => void)[] = [];
  #bus: Bus | undefined;
  #up = Promise.withResolvers<Bus>();
  #reconnecting: Promise<void> | undefined;

  private constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#up.promise.catch(() => undefined);
  }

  /** @throws SystemdError `bus-unavailable` and what else dialling and subscribing may give */
  static async open(options: ConnectionOptions, signal?: AbortSignal): Promise<ManagerConnection> {
    const connection = new ManagerConnection(options);
    const both = signal ? AbortSignal.any([signal, connection.#end.signal]) : connection.#end.signal;
    try {
      await connection.#establish(both);
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw error;
    }
    return connection;
  }

  /** Calls the listener after each return of the connection and each new start of systemd's bus connection. */
  onUp(listener: () => void): void {
    this.#upListeners.push(listener);
  }

  /** Subscribes now and after each return. */
  async subscribe(match: SignalMatch, listener: (signal: BusSignal) => void): Promise<void> {
    const subscription = { match, listener };
    this.#subscriptions.push(subscription);
    const bus = this.#bus;
    if (bus) await bus.subscribe(match, listener);
    else await this.#up.promise;
  }

  /** Waits for the connection, then calls. @throws as {@link Bus.call}; `aborted` once disposed */
  async call(call: ManagerCall): Promise<readonly unknown[]> {
    const bus = this.#bus ?? (await this.#whenUp(call));
    return bus.call({ destination: SYSTEMD, path: MANAGER_PATH, interface: MANAGER, ...call });
  }

  async #whenUp(call: ManagerCall): Promise<Bus> {
    using deadline = new Deadline(call.timeoutMs ?? 25_000, call.signal);
    const stop = Promise.withResolvers<never>();
    const onAbort = (): void => {
      const reason = `${call.member} was not called: the bus connection is down`;
      const cause: unknown = deadline.signal.reason;
      stop.reject(new SystemdError(deadline.expired ? "timeout" : "aborted", reason, { cause }));
    };
    if (deadline.signal.aborted) onAbort();
    else deadline.signal.addEventListener("abort", onAbort);
    return await Promise.race([this.#up.promise, stop.promise]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new SystemdError("aborted", "the connection to systemd was disposed of");
    this.#end.abort(gone);
    this.#up.reject(gone);
    await this.#reconnecting;
    await this.#bus?.[Symbol.asyncDispose]();
  }

  async #establish(signal: AbortSignal): Promise<void> {
    const bus = await this.#options.dial(signal);
    try {
      await bus.subscribe(
        {
          sender: "org.freedesktop.DBus",
          interface: "org.freedesktop.DBus",
          member: "NameOwnerChanged",
          arg0: SYSTEMD,
        },
        ({ body }) => this.#ownerChanged(bus, body[2]),
      );
      for (const { match, listener } of this.#subscriptions) await bus.subscribe(match, listener);
      await askForSignals(bus, signal);
      signal.throwIfAborted();
    } catch (error) {
      await bus[Symbol.asyncDispose]();
      throw error;
    }
    this.#bus = bus;
    this.#up.resolve(bus);
    bus.onClose((cause) => this.#lost(cause));
  }

  #lost(cause: unknown): void {
    this.#bus = undefined;
    if (this.#end.signal.aborted) return;
    this.#up = Promise.withResolvers<Bus>();
    this.#up.promise.catch(() => undefined);
    this.#options.log("the bus connection was lost", { cause });
    this.#reconnecting = this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    const { signal } = this.#end;
    for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      try {
        await this.#options.clock.sleep(pause, signal);
        await this.#establish(signal);
        this.#options.log("the bus connection is back", {});
        this.#tellUp();
        return;
      } catch (cause) {
        if (!signal.aborted) this.#options.log("the bus cannot be reached yet", { cause });
      }
    }
  }

  /** systemd itself came back to a bus that stayed: it has forgotten who wants its signals. */
  #ownerChanged(bus: Bus, owner: unknown): void {
    if (owner === "") return;
    askForSignals(bus, this.#end.signal).then(
      () => this.#tellUp(),
      (cause: unknown) => this.#options.log("systemd does not send its signals", { cause }),
    );
  }

  #tellUp(): void {
    for (const listener of this.#upListeners) listener();
  }
}

async function askForSignals(bus: Bus, signal: AbortSignal): Promise<void> {
  const call = { destination: SYSTEMD, path: MANAGER_PATH, interface: MANAGER, member: "Subscribe", signal };
  try {
    await bus.call(call);
  } catch (error) {
    const already =
      error instanceof SystemdError && error.dbusName === "org.freedesktop.systemd1.AlreadySubscribed";
    if (!already) throw error;
  }
}
