/**
 * What the manager client needs of a D-Bus connection. A bus is one connection: once closed it stays closed, and
 * whoever holds it opens another.
 */

/** A method call. */
export interface BusCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** D-Bus signature of `body`; both are left out by methods without arguments. */
  readonly signature?: string;
  readonly body?: readonly unknown[];
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for the answer, in milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/** A signal as it came in. Values are plain: variants unwrapped, string dictionaries as objects, 64 bit as bigint. */
export interface BusSignal {
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly body: readonly unknown[];
}

/** Which signals are wanted; fields that are left out match everything. */
export interface SignalMatch {
  readonly sender?: string;
  readonly interface?: string;
  readonly member?: string;
  /** This path or anything below it. */
  readonly pathNamespace?: string;
  /** First argument, a string. */
  readonly arg0?: string;
}

export interface Bus extends AsyncDisposable {
  /**
   * @returns the answer's values
   * @throws SystemdError `bus-call` (with `dbusName`), `bus-closed`, `timeout`, `aborted`
   */
  call(call: BusCall): Promise<readonly unknown[]>;
  /** Resolves once the bus delivers such signals; each goes to the listener in the order of arrival. */
  subscribe(match: SignalMatch, listener: (signal: BusSignal) => void): Promise<void>;
  /** The listener is called once, when the connection is gone for whatever reason, disposal included. */
  onClose(listener: (cause: unknown) => void): void;
}

/** The rule in the bus's own words. Values here never hold quotes. */
export function matchRule(match: SignalMatch): string {
  const fields: readonly (readonly [string, string | undefined])[] = [
    ["sender", match.sender],
    ["interface", match.interface],
    ["member", match.member],
    ["path_namespace", match.pathNamespace],
    ["arg0", match.arg0],
  ];
  const parts = fields.flatMap(([name, value]) => (value === undefined ? [] : [`${name}='${value}'`]));
  return ["type='signal'", ...parts].join(",");
}

/** Whether the signal fits the match; the sender is left to the bus. */
export function matchesSignal(match: SignalMatch, signal: BusSignal): boolean {
  const { pathNamespace } = match;
  return (
    (match.interface === undefined || match.interface === signal.interface) &&
    (match.member === undefined || match.member === signal.member) &&
    (match.arg0 === undefined || match.arg0 === signal.body[0]) &&
    (pathNamespace === undefined ||
      signal.path === pathNamespace ||
      signal.path.startsWith(`${pathNamespace}/`))
  );
}
