import dbus, { type Message, type MessageBus } from "dbus-native";
import { SystemdError } from "../error.ts";
import { type Bus, type BusCall, type BusSignal, matchesSignal, matchRule, type SignalMatch } from "./bus.ts";
import { Gate } from "./gate.ts";

/** The system bus refuses more than 128 calls without an answer per connection; half of that leaves room. */
export const MAX_CALLS_IN_FLIGHT = 64;

const CALL_TIMEOUT_MS = 25_000;
const SIGNAL = 4;

export interface DialOptions {
  /** Path of the bus's unix socket. */
  readonly socketPath: string;
  /** For connecting and logging in; 25 s if not given, as for a call. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Connects to a message bus. @throws SystemdError `bus-unavailable`, `timeout`, `aborted` */
export async function dialBus(options: DialOptions): Promise<Bus> {
  const { socketPath, signal, timeoutMs = CALL_TIMEOUT_MS } = options;
  if (signal?.aborted)
    throw new SystemdError("aborted", "connecting to the bus was given up", { cause: signal.reason });
  // No deadline but our own: the library's greeting throws past everybody when it runs into one.
  const bus = dbus.createClient({ socket: socketPath, timeout: 0, authMethods: ["EXTERNAL"] });
  let lost: ((error: Error) => void) | undefined;
  const failed = new Promise<never>((_, reject) => {
    lost = reject;
  });
  failed.catch(() => undefined);
  const connected = new DbusBus(bus, (cause) => lost?.(unavailable(socketPath, cause)));
  const hello = connected.call({
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "GetId",
    timeoutMs,
    signal,
  });
  try {
    await Promise.race([hello, failed]);
    return connected;
  } catch (error) {
    hello.catch(() => undefined);
    bus.connection.stream.destroy();
    if (error instanceof SystemdError && error.code !== "bus-closed") throw error;
    throw unavailable(socketPath, error);
  }
}

function unavailable(socketPath: string, cause: unknown): SystemdError {
  const why = cause instanceof Error ? cause.message : "it closed the connection";
  return new SystemdError("bus-unavailable", `no message bus at ${socketPath}: ${why}`, { cause });
}

class DbusBus implements Bus {
  readonly #bus: MessageBus;
  readonly #gate = new Gate(MAX_CALLS_IN_FLIGHT);
  readonly #listeners: { readonly match: SignalMatch; readonly listener: (signal: BusSignal) => void }[] = [];
  readonly #closeListeners: ((cause: unknown) => void)[] = [];
  #closed: { cause: unknown } | undefined;

  constructor(bus: MessageBus, onError: (cause: unknown) => void) {
    this.#bus = bus;
    const { connection } = bus;
    connection.on("error", (cause) => {
      onError(cause);
      this.#close(cause);
    });
    connection.on("close", (cause) => {
      onError(cause);
      this.#close(cause);
    });
    connection.on("end", () => {
      onError(undefined);
      this.#close(undefined);
    });
    connection.on("message", (message) => this.#receive(message));
  }

  async call(call: BusCall): Promise<readonly unknown[]> {
    try {
      return await this.#gate.run(() => this.#invoke(call), call.signal);
    } catch (cause) {
      throw translate(call, cause);
    }
  }

  #invoke(call: BusCall): Promise<readonly unknown[]> {
    const { destination, path, interface: name, member, signature, body, signal, timeoutMs } = call;
    const message: Message = { destination, path, interface: name, member };
    if (signature !== undefined) Object.assign(message, { signature, body });
    const options = { timeout: timeoutMs ?? CALL_TIMEOUT_MS, ...(signal && { signal }) };
    return new Promise((resolve, reject) => {
      this.#bus.invoke(message, options, (error, ...values: unknown[]) => {
        if (error === null) resolve(values);
        else reject(error);
      });
    });
  }

  async subscribe(match: SignalMatch, listener: (signal: BusSignal) => void): Promise<void> {
    this.#listeners.push({ match, listener });
    await this.call({
      destination: "org.freedesktop.DBus",
      path: "/org/freedesktop/DBus",
      interface: "org.freedesktop.DBus",
      member: "AddMatch",
      signature: "s",
      body: [matchRule(match)],
    });
  }

  onClose(listener: (cause: unknown) => void): void {
    if (this.#closed) listener(this.#closed.cause);
    else this.#closeListeners.push(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bus.close();
    this.#close(undefined);
  }

  #receive(message: Message): void {
    if (message.type !== SIGNAL) return;
    const { path = "", interface: name = "", member = "", body = [] } = message;
    const signal: BusSignal = { path, interface: name, member, body };
    for (const { match, listener } of this.#listeners) {
      if (matchesSignal(match, signal)) listener(signal);
    }
  }

  #close(cause: unknown): void {
    if (this.#closed) return;
    this.#closed = { cause };
    this.#bus.connection.stream.destroy();
    for (const listener of this.#closeListeners) listener(cause);
  }
}

function translate(call: BusCall, cause: unknown): SystemdError {
  const what = `${call.interface}.${call.member}`;
  if (call.signal?.aborted) return new SystemdError("aborted", `${what} was given up`, { cause });
  if (cause instanceof dbus.TimeoutError) {
    return new SystemdError("timeout", `${what} was not answered within ${cause.timeout} ms`, { cause });
  }
  if (cause instanceof dbus.ConnectionClosedError) {
    return new SystemdError("bus-closed", `the bus connection ended before ${what} was answered`, { cause });
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  const dbusName = cause instanceof dbus.DBusError ? cause.dbusName : undefined;
  return new SystemdError("bus-call", `${what} failed: ${reason}`, { cause, dbusName });
}
