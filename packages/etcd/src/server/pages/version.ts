import { CLUSTER_VERSION, ETCD_VERSION } from "../options.ts";
import type { HttpTable } from "../transport/http.ts";
import { isRead } from "./reading.ts";

/** `/version`: whose protocol and behaviour the server has. */
export const versionPage: HttpTable = new Map([
  [
    "/version",
    (request, response) => {
      if (!isRead(request, response)) return;
      const versions = JSON.stringify({ etcdserver: ETCD_VERSION, etcdcluster: CLUSTER_VERSION });
      response.writeHead(200, { "content-type": "application/json" }).end(versions);
    },
  ],
]);
