// Whether what concurrent clients saw can have happened one after another. The store gives each answer a revision,
// and a watch from the beginning gives the order of all writes: that is the order to be checked. A history is
// linearizable if it explains every answer and agrees with real time.

/** A change as a watch from revision 1 tells it. */
export interface LogEntry {
  readonly revision: number;
  readonly key: string;
  /** Undefined for a deletion. */
  readonly value: string | undefined;
}

interface Call {
  readonly client: number;
  readonly key: string;
  /** When it was made and when its answer came, on one clock; undefined if no answer came. */
  readonly called: number;
  readonly answered: number | undefined;
  /** Of the answer. */
  readonly revision: number | undefined;
}

/** What one client did. Values are unique in a history. */
export type Operation = Call &
  (
    | { readonly kind: "put"; readonly value: string }
    | { readonly kind: "delete"; readonly deleted: number | undefined }
    | { readonly kind: "get"; readonly found: string | undefined }
    /** Puts `value` if the key has `expected`; otherwise `found` is what it has. */
    | {
        readonly kind: "swap";
        readonly expected: string;
        readonly value: string;
        readonly succeeded: boolean | undefined;
        readonly found: string | undefined;
      }
  );

/** What cannot be explained, in words; empty for a linearizable history. */
export function violations(log: readonly LogEntry[], history: readonly Operation[]): readonly string[] {
  const found: string[] = [];
  const states = new KeyStates(log);
  const written = new Map(
    log.filter(({ value }) => value !== undefined).map((entry) => [entry.value, entry]),
  );
  for (const operation of history) {
    const complaint = unexplained(operation, states, written);
    if (complaint !== undefined) found.push(`${complaint}: ${JSON.stringify(operation)}`);
  }
  const tried = new Set(history.flatMap((item) => ("value" in item ? [item.value] : [])));
  for (const entry of log) {
    if (entry.value !== undefined && !tried.has(entry.value))
      found.push(`nobody wrote ${JSON.stringify(entry)}`);
  }
  return [...found, ...outOfTime(history)];
}

function unexplained(
  operation: Operation,
  states: KeyStates,
  written: ReadonlyMap<string | undefined, LogEntry>,
): string | undefined {
  const { key, revision } = operation;
  if (revision === undefined) return undefined;
  const now = states.at(key, revision);
  const before = states.at(key, revision - 1);
  switch (operation.kind) {
    case "put":
      return written.get(operation.value)?.revision === revision ? undefined : "the put is not in its place";
    case "get":
      return now === operation.found ? undefined : `the key had ${String(now)} at that revision`;
    case "delete":
      if (operation.deleted === 0) return now === undefined ? undefined : "the key was there";
      return before !== undefined && now === undefined ? undefined : "the deletion is not in its place";
    case "swap":
      if (operation.succeeded !== true) {
        const isRight = now === operation.found && now !== operation.expected;
        return isRight ? undefined : `the key had ${String(now)} at that revision`;
      }
      if (before !== operation.expected) return `the key had ${String(before)} before`;
      return written.get(operation.value)?.revision === revision ? undefined : "the swap is not in its place";
  }
}

/** What was answered before another call was made must not be later in the order. */
function outOfTime(history: readonly Operation[]): readonly string[] {
  const found: string[] = [];
  const answered = history.filter(isAnswered).toSorted((a, b) => a.answered - b.answered);
  const called = history.filter(isAnswered).toSorted((a, b) => a.called - b.called);
  let latest: (Operation & Answered) | undefined;
  let place = 0;
  for (const operation of called) {
    for (; (answered[place]?.answered ?? Infinity) < operation.called; place++) {
      const past = answered[place] as Operation & Answered;
      if (latest === undefined || past.revision > latest.revision) latest = past;
    }
    if (latest === undefined) continue;
    const least = isWrite(operation) ? latest.revision + 1 : latest.revision;
    if (operation.revision < least) {
      found.push(`it goes back in time: ${JSON.stringify(operation)} after ${JSON.stringify(latest)}`);
    }
  }
  return found;
}

interface Answered {
  readonly answered: number;
  readonly revision: number;
}

function isAnswered(operation: Operation): operation is Operation & Answered {
  return operation.answered !== undefined && operation.revision !== undefined;
}

function isWrite(operation: Operation): boolean {
  if (operation.kind === "delete") return (operation.deleted ?? 0) > 0;
  return operation.kind === "put" || (operation.kind === "swap" && operation.succeeded === true);
}

/** Values of each key by revision. */
class KeyStates {
  readonly #byKey = new Map<string, LogEntry[]>();

  constructor(log: readonly LogEntry[]) {
    for (const entry of log) {
      const entries = this.#byKey.get(entry.key);
      if (entries === undefined) this.#byKey.set(entry.key, [entry]);
      else entries.push(entry);
    }
  }

  at(key: string, revision: number): string | undefined {
    return this.#byKey.get(key)?.findLast((entry) => entry.revision <= revision)?.value;
  }
}
