import { availableParallelism } from "node:os";
import type { HttpTable } from "../transport/http.ts";
import { isRead } from "./reading.ts";

/** `/debug/vars`: what the process is and how it is, in JSON. No command line: what is on it is nobody's business. */
export function debugVarsPage(state: () => Readonly<Record<string, unknown>>): HttpTable {
  return new Map([
    [
      "/debug/vars",
      (request, response) => {
        if (!isRead(request, response)) return;
        const variables = {
          node: process.versions.node,
          processors: availableParallelism(),
          uptime_seconds: process.uptime(),
          memory: process.memoryUsage(),
          ...state(),
        };
        response
          .writeHead(200, { "content-type": "application/json; charset=utf-8" })
          .end(`${JSON.stringify(variables, undefined, 2)}\n`);
      },
    ],
  ]);
}
