// The dashboard's files, at the root.
import type { ApiContext, ApiRoutes } from "../context.ts";
import { Assets } from "../assets.ts";

export function dashboardRoutes(routes: ApiRoutes, context: ApiContext): void {
  const folder = context.options.configuration.api.dashboard;
  if (folder === undefined) return;
  const assets = new Assets(folder);
  routes.get("*", async (c, next) => (await assets.answer(c.req.path, c.req.raw)) ?? next());
}
