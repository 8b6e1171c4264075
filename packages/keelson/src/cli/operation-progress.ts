// Waiting for an operation: a line for each instance that is not there yet, until all are or time is up.
import { KeelError } from "../base/errors.ts";
import type { DaemonClient } from "./daemon/client.ts";
import type { OperationView, ProgressView } from "../api/wire/operation.ts";
import type { Invocation } from "./invocation.ts";
import type { Progress, Step } from "./progress.ts";
import { type RolloutProgress, rolloutWords } from "./rollout-text.ts";

type ProgressItem = ProgressView["items"][number];

export interface Followed {
  readonly progress: ProgressView | undefined;
  readonly timedOut: boolean;
}

/** Most instances that get a line of their own; more are counted in one. */
const mostLines = 12;

/** What has just started may end at once, with an error: it is looked at again after this long. */
const settleMs = { container: 300, other: 100 } as const;

/** Follows an operation until it is done, and still is a moment later, or until `timeoutMs` are over. */
export async function followOperation(
  keel: Pick<Invocation, "progress" | "signal" | "clock">,
  client: DaemonClient,
  operation: Pick<OperationView, "id" | "summary">,
  timeoutMs: number,
): Promise<Followed> {
  const patient = client.within(timeoutMs);
  const lines = new ProgressLines(keel.progress, operation.summary);
  let last: ProgressView | undefined;
  try {
    for (let isSecondLook = false; ; isSecondLook = true) {
      let isSteady = isSecondLook;
      for await (const view of patient.progress(operation.id)) {
        last = view;
        if (view.done) break;
        isSteady = false;
        lines.show(view);
      }
      if (last?.done !== true) break;
      if (isSteady || !last.items.some(hasStarted)) {
        lines.show(last);
        return { progress: last, timedOut: false };
      }
      const some = last.items.some(({ instance }) => /\.(container|pod|kube)$/.test(instance));
      await keel.clock.sleep(some ? settleMs.container : settleMs.other, keel.signal);
    }
  } catch (error) {
    if (keel.signal.aborted || !isTimeout(error)) throw error;
    lines.giveUp(last);
    return { progress: last, timedOut: true };
  }
  throw new KeelError("KEEL-601", `the daemon ended the progress of operation ${operation.id} early`, {
    hint: `\`keel op show ${operation.id}\` shows how it went`,
  });
}

/** It was started on a machine: it may yet fail, and what has failed may yet say why. */
const hasStarted = ({ want, machine, state }: ProgressItem): boolean =>
  (want === "active" || want === "restarted") && (state === "ready" || (machine ?? null) !== null);

function isTimeout(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === "TimeoutError" || (error.cause !== undefined && isTimeout(error.cause)))
  );
}

/** The lines on stderr for one operation. */
class ProgressLines {
  readonly #progress: Progress;
  readonly #summary: string;
  readonly #steps = new Map<string, Step>();
  /** The states that lines ended with. */
  readonly #ended = new Map<string, ProgressItem["state"]>();
  #together: Step | undefined;

  constructor(progress: Progress, summary: string) {
    this.#progress = progress;
    this.#summary = summary;
  }

  show(view: ProgressView): void {
    for (const rollout of view.rollouts) this.#showRollout(rollout);
    // A rollout of several instances has one line for all of them.
    const rolledOut = new Set(view.rollouts.flatMap(({ unit, total }) => (total > 1 ? [unit] : [])));
    const items = view.items.filter(({ unit }) => !rolledOut.has(unit));
    if (items.length > mostLines || this.#together) this.#showTogether({ ...view, items });
    else for (const item of items) this.#showItem(item, keyOf(item, view));
  }

  /** Time is up: what is not there yet says what it waits for. */
  giveUp(last: ProgressView | undefined): void {
    this.#together?.fail("not finished");
    for (const [key, step] of this.#steps) {
      if (this.#ended.has(key)) continue;
      const item = last?.items.find((one) => keyOf(one, last) === key);
      step.fail(item === undefined || item.reason === "" ? "not yet" : `not yet: ${item.reason}`);
    }
  }

  #showRollout(rollout: RolloutProgress): void {
    const key = `rollout ${rollout.unit}`;
    if (rollout.total <= 1 || this.#ended.has(key)) return;
    const step = this.#steps.get(key) ?? this.#progress.step(`rollout of ${rollout.unit}`);
    this.#steps.set(key, step);
    const words = rolloutWords(rollout);
    if (rollout.state === "running" || rollout.state === "reverting") return step.update(words);
    this.#ended.set(key, rollout.state === "done" ? "ready" : "failed");
    if (rollout.state === "done") step.done(words);
    else step.fail(words);
  }

  #showTogether(view: ProgressView): void {
    this.#together ??= this.#progress.step(this.#summary);
    const ready = view.items.filter((item) => item.state === "ready").length;
    const failed = view.items.filter((item) => item.state === "failed").length;
    const text = `${ready} of ${view.items.length}${failed === 0 ? "" : `, ${failed} failed`}`;
    if (!view.done) this.#together.update(text);
    else if (failed === 0) this.#together.done(text);
    else this.#together.fail(text);
  }

  #showItem(item: ProgressItem, key: string): void {
    const ended = this.#ended.get(key);
    // What ran a moment ago and has ended with an error gets another line: the first one was true then.
    if (ended === "ready" && item.state === "failed") this.#steps.delete(key);
    else if (ended !== undefined) return;
    const known = this.#steps.get(key);
    const step = known ?? this.#progress.step(item.instance);
    if (!known) this.#steps.set(key, step);
    if (item.state === "pending") return step.update(item.reason);
    this.#ended.set(key, item.state);
    if (item.state === "ready") step.done(wantWords(item.want));
    else step.fail(item.reason);
  }
}

/** An instance keeps its line when it changes machines; a global unit has one for each machine. */
function keyOf(item: ProgressItem, view: ProgressView): string {
  const several =
    view.items.filter((other) => other.instance === item.instance && other.want === item.want).length > 1;
  return `${item.instance} ${item.want} ${several ? (item.machine ?? "") : ""}`;
}

function wantWords(want: string): string {
  return want === "active" ? "runs" : want;
}
