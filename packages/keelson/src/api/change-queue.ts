// Changes are planned and applied one after another, so that each is judged against the outcome of the one
// before it: a hundred small requests at once are not a way around a guard.
import { timeOrderedId } from "../base/random.ts";
import { KeelError } from "../base/errors.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { Intent, Operation, OperationRequest } from "../model/operation.ts";
import { applyOperation } from "../registry/apply-operation.ts";
import type { ClusterView } from "../registry/cluster-view.ts";
import { purgeHistory } from "../registry/garbage.ts";
import { removeMember } from "../registry/registration.ts";
import { guard } from "../safeguards/guard.ts";
import type { OperationPlan, PlanContext } from "../safeguards/operation-plan.ts";
import { bodiesFor, plan } from "../safeguards/plan.ts";
import { planRebalance } from "../scheduler/moving/rebalance.ts";
import type { ApiContext } from "./context.ts";
import { foretell } from "./foretell.ts";

/** How often a change is planned anew when the state moved below it. */
const attempts = 4;
/** A write that takes longer is given up: the store is away. */
const writeMs = 2500;
/** How long the answer waits for this daemon's own view to show the change. */
const seenMs = 5000;
/** Changes that only look (nothing was to be done) are remembered so that their progress can be asked for. */
const mostIdle = 256;

export interface Applied {
  readonly operation: Operation;
  /** Nothing was to be changed, and nothing was recorded. */
  readonly isIdle: boolean;
  /** What whoever asked should know. */
  readonly notes: readonly string[];
}

export class ChangeQueue {
  readonly #context: ApiContext;
  #last: Promise<unknown> = Promise.resolve();
  readonly #idle = new Map<string, Operation>();

  constructor(context: ApiContext) {
    this.#context = context;
  }

  /**
   * What the change would do; with the view, what it would move, too. Throws KeelError for an intent that cannot be
   * carried out.
   */
  async plan(
    request: OperationRequest,
    snapshot: ClusterSnapshot,
    view?: ClusterView,
  ): Promise<OperationPlan> {
    const { bodies, clock, random } = this.#context.options;
    const loaded = await bodies.loadAll(bodiesFor(request.intent, snapshot), {
      signal: this.#context.signal,
    });
    const { reader } = this.#context;
    await reader.loadPlacements(snapshot);
    const planned = plan(request.intent, snapshot, {
      placements: reader.placements,
      bodies: (hash) => loaded.get(hash) ?? bodies.get(hash),
      context: {
        who: request.who,
        via: request.via,
        nowMs: clock.wall(),
        newId: () => timeOrderedId(clock.wall(), random),
        ...(view === undefined || request.intent.kind !== "rebalance" ? {} : await this.#rebalancer(view)),
      },
    });
    return view === undefined ? planned : await foretell(planned, view, this.#context);
  }

  async #rebalancer(view: ClusterView): Promise<Pick<PlanContext, "rebalance">> {
    const { reader } = this.#context;
    const { snapshot } = await reader.read(view);
    const { placements } = reader;
    const facts = reader.times(view);
    return { rebalance: (most) => planRebalance(snapshot, { placements, facts }, { most }) };
  }

  /** Makes the change. Throws what a guard refuses (KEEL-2xx), KEEL-401 and KEEL-403. */
  async apply(request: OperationRequest, view: ClusterView): Promise<Applied> {
    const turn = this.#last.then(() => this.#apply(request, view));
    this.#last = turn.catch(() => undefined);
    return await turn;
  }

  /** An operation that changed nothing and was not recorded. */
  idle(id: string): Operation | undefined {
    return this.#idle.get(id);
  }

  async #apply(request: OperationRequest, view: ClusterView): Promise<Applied> {
    const { options, signal, views } = this.#context;
    for (let attempt = 1; ; attempt++) {
      const snapshot = await views.current(view, signal);
      const planned = await this.plan(request, snapshot, view);
      const refusal = guard(planned, request.confirm, options.configuration.cluster);
      if (refusal) throw refusal;
      const { notes } = planned;
      if (changesNothing(planned))
        return { operation: this.#rememberIdle(planned, snapshot), isIdle: true, notes };
      try {
        const revision = await this.#write(planned, snapshot);
        const seen = await this.#seen(view, revision, planned.operation);
        return {
          operation: seen.operations.get(planned.operation.id) ?? { ...planned.operation, state: "applied" },
          isIdle: false,
          notes,
        };
      } catch (error) {
        if (!(error instanceof KeelError) || error.code !== "KEEL-403" || attempt >= attempts) throw error;
        await this.#context.options.clock.sleep(50 * attempt, signal);
      }
    }
  }

  /** Writes the operation, and then what it takes away beside units. Returns the last revision. */
  async #write(planned: OperationPlan, snapshot: ClusterSnapshot): Promise<number> {
    const { store, bodies } = this.#context.options;
    const call = { signal: this.#context.signal, timeoutMs: writeMs };
    const revision = await applyOperation(store, planned.operation, planned.bodies, call);
    for (const [hash, body] of planned.bodies) bodies.put(hash, body);
    if (planned.removesMember !== undefined) return removeMember(store, planned.removesMember, call);
    if (planned.intent.kind === "purge") await purgeHistory(store, snapshot, planned.operation.id, call);
    return revision;
  }

  /** Waits until this daemon's own view shows the revision. */
  async #seen(view: ClusterView, revision: number, operation: Operation): Promise<ClusterSnapshot> {
    const { clock } = this.#context.options;
    const waiting = new AbortController();
    const timer = clock.timer(seenMs, () => waiting.abort());
    try {
      return await view.waitFor(revision, waiting.signal);
    } catch (cause) {
      throw new KeelError(
        "KEEL-602",
        `operation ${operation.id} was written, and this daemon has lost sight of the store`,
        {
          cause,
          hint: `keel op show ${operation.id}`,
          details: { operation: operation.id },
        },
      );
    } finally {
      timer.cancel();
    }
  }

  /** What is as asked already is still worth waiting for: its units stand as changes to what they are. */
  #rememberIdle(planned: OperationPlan, snapshot: ClusterSnapshot): Operation {
    const changes = planned.unchanged.flatMap((name) => {
      const unit = snapshot.units.get(name);
      return unit ? [{ unit: name, before: unit, after: unit }] : [];
    });
    const operation: Operation = { ...planned.operation, changes, state: "applied" };
    this.#idle.set(operation.id, operation);
    for (const id of this.#idle.keys()) {
      if (this.#idle.size <= mostIdle) break;
      this.#idle.delete(id);
    }
    return { ...operation, changes: [] };
  }
}

function changesNothing({ operation, removesMember, intent }: OperationPlan): boolean {
  const recorded: readonly Intent["kind"][] = ["purge", "remove-machine"];
  const count = operation.changes.length + (operation.records?.length ?? 0);
  return count === 0 && removesMember === undefined && !recorded.includes(intent.kind);
}
