import { CLUSTER_VERSION, ETCD_VERSION } from "../options.ts";
import { ALARM_NO_SPACE, type Store } from "../store.ts";
import { send, type HttpHandler, type HttpTable } from "../transport/http.ts";

/** `/health` and `/version` as etcd answers them over HTTP/1.1. */
export function healthPages(store: Store): HttpTable {
  return new Map<string, HttpHandler>([
    [
      "/health",
      (request, response, url) => {
        if (request.method !== "GET") {
          response.setHeader("allow", "GET");
          return send(response, 405, "Method Not Allowed\n");
        }
        const reason = ailment(store, new Set(url.searchParams.getAll("exclude")));
        const health = JSON.stringify({ health: String(reason === ""), reason });
        send(response, reason === "" ? 200 : 503, health);
      },
    ],
    [
      "/version",
      (_request, response) => {
        const versions = JSON.stringify({ etcdserver: ETCD_VERSION, etcdcluster: CLUSTER_VERSION });
        send(response, 200, versions, "application/json");
      },
    ],
  ]);
}

/** Why the store does not do all that it should; empty when it does. */
function ailment(store: Store, excluded: ReadonlySet<string>): string {
  if (store.failure !== undefined) return `LOG ${store.failure.message}`;
  for (const alarm of store.alarms) {
    const name = alarm === ALARM_NO_SPACE ? "NOSPACE" : "CORRUPT";
    if (!excluded.has(name)) return `ALARM ${name}`;
  }
  return "";
}
