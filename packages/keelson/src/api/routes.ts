// All routes, and what surrounds each of them: the headers that every answer has, and errors in one shape.
import { Hono } from "hono";
import { errorAnswer, errorBodyOf } from "./answer.ts";
import type { ApiContext, ApiRoutes } from "./context.ts";
import type { Answerer, Bindings } from "./listener.ts";
import { pathOf } from "./access.ts";
import { ChangeQueue } from "./change-queue.ts";
import { FleetApi } from "./fleet/fleet-api.ts";
import { fleetOnlyRoutes, fleetRoutes } from "./fleet/routes.ts";
import { archiveRoutes } from "./routes/archives.ts";
import { clusterRoutes } from "./routes/cluster.ts";
import { dashboardRoutes } from "./routes/dashboard.ts";
import { eventRoutes } from "./routes/events.ts";
import { healthRoutes, metricsRoute } from "./routes/health.ts";
import { historyRoutes } from "./routes/history.ts";
import { imageRoutes } from "./routes/images.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { operationRoutes } from "./routes/operations.ts";
import { rolloutRoutes } from "./routes/rollouts.ts";
import { storeRoutes } from "./routes/store.ts";
import { storeBackupRoutes } from "./routes/store-backup.ts";
import { storeRestoreRoutes } from "./routes/store-restore.ts";
import { storeKeyRoutes } from "./routes/store-keys.ts";
import { survivabilityRoutes } from "./routes/survivability.ts";
import { systemRoutes } from "./routes/system.ts";
import { updateRoutes } from "./routes/updates.ts";
import { whatIfRoutes } from "./routes/what-if.ts";
import { whyRoutes } from "./routes/why.ts";

export interface Routes {
  /** All that there is. */
  readonly own: Answerer;
  /** fleet's API, for doors of its own; what else `keel` needs of a door is there too. */
  readonly fleet: Answerer;
}

export function createRoutes(context: ApiContext): Routes {
  const changes = new ChangeQueue(context);
  const fleet = new FleetApi(context, changes);
  const own = ownRoutes(context, changes, fleet);
  const door = fleetDoor(context, fleet);
  const isOurs = ({ incoming, entrance }: Bindings): boolean =>
    entrance === "socket" ? pathOf(incoming).startsWith("/v1/") : unitWork.test(pathOf(incoming));
  return {
    own,
    fleet: (request, bindings) => (isOurs(bindings) ? own : door)(request, bindings),
  };
}

/** What `keel` asks to show and to change units, the same that fleet's API lets do. */
const unitWork = /^\/v1\/(?:health|snapshot|units|machines|instances|why|plan|operations)(?:\/|$)/;

function fleetDoor(context: ApiContext, fleet: FleetApi): Answerer {
  const routes = surroundedRoutes(context);
  metricsRoute(routes, context);
  fleetRoutes(routes, context, fleet);
  fleetOnlyRoutes(routes);
  return (request, bindings) => routes.fetch(request, bindings);
}

/** No routes yet, but what every answer has. */
function surroundedRoutes(context: ApiContext): ApiRoutes {
  const routes: ApiRoutes = new Hono<{ Bindings: Bindings }>();
  const { metrics } = context.options;
  const requests = metrics.counter("keelson_api_requests_total", "Requests by method and status.");
  routes.use("*", async (c, next) => {
    await next();
    // Only the headers go out: a stream that nobody reads would keep what it holds.
    if (c.req.method === "HEAD") await c.res.body?.cancel();
    c.res.headers.set("x-content-type-options", "nosniff");
    c.res.headers.set("referrer-policy", "no-referrer");
    c.res.headers.set("cross-origin-resource-policy", "same-origin");
    requests.add(1, { method: c.req.method, status: String(c.res.status) });
  });
  return routes;
}

function ownRoutes(context: ApiContext, changes: ChangeQueue, fleet: FleetApi): Answerer {
  const routes = surroundedRoutes(context);
  const { log } = context.options;
  healthRoutes(routes, context);
  clusterRoutes(routes, context);
  whyRoutes(routes, context);
  survivabilityRoutes(routes, context);
  whatIfRoutes(routes, context, changes);
  eventRoutes(routes, context);
  historyRoutes(routes, context);
  operationRoutes(routes, context, changes);
  rolloutRoutes(routes, context);
  systemRoutes(routes, context);
  updateRoutes(routes, context);
  fleetRoutes(routes, context, fleet);
  jobRoutes(routes, context);
  imageRoutes(routes, context);
  archiveRoutes(routes, context);
  storeRoutes(routes, context);
  storeKeyRoutes(routes, context);
  storeBackupRoutes(routes, context);
  storeRestoreRoutes(routes, context);
  dashboardRoutes(routes, context);
  routes.notFound((c) =>
    errorAnswer(
      { code: "KEEL-104", message: `there is nothing at ${c.req.method} ${c.req.path.slice(0, 200)}` },
      404,
    ),
  );
  routes.onError((error, c) => {
    const { body, status } = errorBodyOf(error);
    if (status >= 500 && status !== 503)
      log.error("a request failed", { method: c.req.method, path: c.req.path, error });
    return errorAnswer(body, status);
  });
  return (request, bindings) => routes.fetch(request, bindings);
}
