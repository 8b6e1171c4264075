// Views of the cluster: all of it, its machines, units and instances.
import { KeelError } from "../../base/errors.ts";
import { jsonAnswer } from "../answer.ts";
import { withCluster } from "../context.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import type { SettingsView } from "../wire/settings.ts";
import type { SnapshotView } from "../wire/snapshot.ts";

export function clusterRoutes(routes: ApiRoutes, context: ApiContext): void {
  const view = (): Promise<SnapshotView> =>
    withCluster(context, async (_snapshot, view) => (await context.reader.read(view)).view);

  routes.get("/v1/snapshot", async () => jsonAnswer(await view()));

  routes.get("/v1/settings", async () =>
    withCluster(context, (snapshot) => {
      const answer: SettingsView = { revision: snapshot.revision, ...snapshot.settings };
      return Promise.resolve(jsonAnswer(answer));
    }),
  );

  routes.get("/v1/machines", async () => {
    const { revision, machines } = await view();
    return jsonAnswer({ revision, machines });
  });

  routes.get("/v1/units", async () => {
    const { revision, units } = await view();
    return jsonAnswer({ revision, units });
  });

  routes.get("/v1/units/:name", async (c) => {
    const name = c.req.param("name");
    const { revision, units, instances } = await view();
    const unit = units.find((it) => it.name === name);
    if (!unit) throw noSuchUnit(name);
    return jsonAnswer({ revision, unit, instances: instances.filter((it) => it.unit === name) });
  });

  routes.get("/v1/units/:name/file", async (c) => {
    const name = c.req.param("name");
    const { body, hash } = await withCluster(context, async (snapshot) => {
      const unit = snapshot.units.get(name);
      if (!unit) throw noSuchUnit(name);
      return {
        hash: unit.hash,
        body: await context.options.bodies.load(unit.hash, { signal: context.signal }),
      };
    });
    if (body === undefined) throw new KeelError("KEEL-402", `${name}: its file ${hash} is not in the store`);
    return new Response(body, {
      headers: {
        "content-type": "application/octet-stream",
        etag: `"${hash}"`,
        "cache-control": "no-store",
        "content-disposition": "attachment",
      },
    });
  });

  routes.get("/v1/instances", async () => {
    const { revision, instances } = await view();
    return jsonAnswer({ revision, instances });
  });
}

export function noSuchUnit(name: string): KeelError {
  return new KeelError("KEEL-501", `no unit ${JSON.stringify(name.slice(0, 255))}`);
}
