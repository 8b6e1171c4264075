// The pipeline: plan, guards, apply, and then the way to the outcome.
import { KeelError } from "../../base/errors.ts";
import type { ClusterSnapshot } from "../../model/cluster.ts";
import { requestSchema } from "../../model/operation.ts";
import type { Operation, OperationRequest } from "../../model/operation.ts";
import { guard } from "../../safeguards/guard.ts";
import { describePlan } from "../../safeguards/operation-plan.ts";
import { errorBodyOf, jsonAnswer } from "../answer.ts";
import { readJson } from "../body.ts";
import type { ChangeQueue } from "../change-queue.ts";
import { withCluster } from "../context.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import type { Bindings } from "../listener.ts";
import { newestFirst, operationSummary, operationView } from "../views/operation-view.ts";
import { progressStream } from "./progress.ts";

export function operationRoutes(routes: ApiRoutes, context: ApiContext, changes: ChangeQueue): void {
  const { clock, configuration } = context.options;
  const read = (bindings: Bindings): Promise<OperationRequest> =>
    readJson(bindings.incoming, clock, requestSchema);

  routes.post("/v1/plan", async (c) => {
    const request = await read(c.env);
    const planned = await withCluster(context, (snapshot, view) => changes.plan(request, snapshot, view));
    const refusal = guard(planned, request.confirm, configuration.cluster);
    return jsonAnswer({ ...describePlan(planned), refusal: refusal ? withoutPlan(refusal) : null });
  });

  routes.post("/v1/operations", async (c) => {
    const request = await read(c.env);
    using _slot = context.changes.take();
    const { operation, isIdle, notes } = await withCluster(context, (_snapshot, view) =>
      changes.apply(request, view),
    );
    if (isIdle) return jsonAnswer({ ...operationView(operation), notes });
    context.options.log.info("operation", {
      id: operation.id,
      summary: operation.summary,
      who: operation.who,
      via: operation.via,
    });
    return jsonAnswer({ ...operationView(operation), notes }, 201, {
      location: `/v1/operations/${operation.id}`,
    });
  });

  routes.get("/v1/operations", async () => {
    const { revision, operations } = await withCluster(context, async (snapshot) => snapshot);
    return jsonAnswer({ revision, operations: newestFirst(operations.values()).map(operationSummary) });
  });

  routes.get("/v1/operations/:id", async (c) => {
    const id = c.req.param("id");
    const idle = changes.idle(id);
    if (idle) return jsonAnswer(operationView({ ...idle, changes: [] }));
    return jsonAnswer(
      operationView(await withCluster(context, async (snapshot) => findOperation(snapshot, id))),
    );
  });

  routes.get("/v1/operations/:id/progress", (c) =>
    progressStream(context, c.env, (snapshot) => {
      const id = c.req.param("id");
      return changes.idle(id) ?? findOperation(snapshot, id);
    }),
  );
}

/** By its identity or the beginning of it. KEEL-506 when there is none or several. */
function findOperation(snapshot: ClusterSnapshot, id: string): Operation {
  const exact = snapshot.operations.get(id);
  if (exact) return exact;
  const fitting = id.length < 4 ? [] : [...snapshot.operations.values()].filter((it) => it.id.startsWith(id));
  const [only, second] = fitting;
  if (only && !second) return only;
  throw new KeelError(
    "KEEL-506",
    `${second ? `${fitting.length} operations begin` : "no operation begins"} with "${id.slice(0, 40)}"`,
  );
}

/** A refusal beside the plan that it speaks of. */
function withoutPlan(refusal: KeelError): unknown {
  const { body } = errorBodyOf(refusal);
  const { plan: _plan, ...details } = body.details ?? {};
  return { ...body, details };
}
