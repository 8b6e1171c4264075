// The machines' operating systems, and how far the latest update of them is.
import { jsonAnswer } from "../answer.ts";
import { withCluster } from "../context.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import { systemView } from "../views/system-view.ts";

export function systemRoutes(routes: ApiRoutes, context: ApiContext): void {
  routes.get("/v1/system", async () =>
    jsonAnswer(await withCluster(context, (snapshot) => Promise.resolve(systemView(snapshot)))),
  );
}
