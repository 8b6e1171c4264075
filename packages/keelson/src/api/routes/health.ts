// Whether this daemon lives and hears the store. These answer without the view of the cluster.
import { keys } from "../../model/keys.ts";
import { jsonAnswer } from "../answer.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import type { ContactView, HealthView } from "../wire/health.ts";

const probeMs = 1500;

export function healthRoutes(routes: ApiRoutes, context: ApiContext): void {
  const { configuration, machine, version } = context.options;
  const contact = contactOf(context);
  routes.get("/v1/health", async () => {
    const view: HealthView = {
      cluster: configuration.cluster,
      machine: { id: machine.id, name: machine.name, address: machine.address },
      roles: configuration.roles,
      version,
      contact: await contact(),
    };
    return jsonAnswer(view);
  });
  routes.get("/v1/contact", async () => jsonAnswer(await contact()));
  metricsRoute(routes, context);
}

export function metricsRoute(routes: ApiRoutes, context: ApiContext): void {
  const { metrics } = context.options;
  const streams = metrics.gauge("keelson_api_streams", "Event and progress streams that are open.");
  const views = metrics.gauge(
    "keelson_api_views",
    "Views of the whole cluster that the API follows: 0 or 1.",
  );
  routes.get("/metrics", () => {
    streams.set(context.streams.taken);
    views.set(context.views.isOpen ? 1 : 0);
    return new Response(metrics.render(), {
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
    });
  });
}

/** What the daemon knows of its contact, or else an answer of the store to a small question. */
function contactOf(context: ApiContext): () => Promise<ContactView> {
  const { contact, store, clock, machine } = context.options;
  if (contact) return () => Promise.resolve({ machine: machine.id, ...contact() });
  let heard: number | undefined;
  return async () => {
    const now = clock.now();
    if (heard === undefined || now - heard > 1000) {
      try {
        await store.range(
          { key: keys.machine(machine.id), keysOnly: true },
          { timeoutMs: probeMs, signal: context.signal },
        );
        heard = clock.now();
      } catch {
        return {
          machine: machine.id,
          hasContact: false,
          ageMs: heard === undefined ? null : clock.now() - heard,
        };
      }
    }
    return { machine: machine.id, hasContact: true, ageMs: Math.round(clock.now() - heard) };
  };
}
