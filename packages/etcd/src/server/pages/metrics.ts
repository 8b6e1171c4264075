import { EXPOSITION_TYPE } from "../metrics/exposition.ts";
import type { HttpTable } from "../transport/http.ts";
import { isRead } from "./reading.ts";

/** `/metrics`, with the text that `expose` gives when it is asked for. */
export function metricsPage(expose: () => string): HttpTable {
  return new Map([
    [
      "/metrics",
      (request, response) => {
        if (isRead(request, response))
          response.writeHead(200, { "content-type": EXPOSITION_TYPE }).end(expose());
      },
    ],
  ]);
}
