// Rollouts, and the versions that units had.
import { KeelError } from "../../base/errors.ts";
import { versionList } from "../../model/version-of.ts";
import { jsonAnswer } from "../answer.ts";
import { withCluster } from "../context.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import { rolloutViews, versionViews } from "../views/rollout-view.ts";
import { noSuchUnit } from "./cluster.ts";

export function rolloutRoutes(routes: ApiRoutes, context: ApiContext): void {
  routes.get("/v1/rollouts", async () => {
    const { snapshot, facts } = await withCluster(context, (_snapshot, view) => context.reader.read(view));
    const nowMs = context.options.clock.wall();
    const rollouts = rolloutViews(snapshot, { nowMs, waiting: facts.waiting });
    return jsonAnswer({ revision: snapshot.revision, rollouts });
  });

  routes.get("/v1/units/:name/versions", async (c) => {
    const name = c.req.param("name");
    return jsonAnswer(
      await withCluster(context, async (snapshot) => {
        const unit = snapshot.units.get(name);
        if (unit === undefined) throw noSuchUnit(name);
        return { revision: snapshot.revision, unit: name, versions: versionViews(unit, snapshot) };
      }),
    );
  });

  routes.get("/v1/units/:name/versions/:number/file", async (c) => {
    const { name, number } = c.req.param();
    const body = await withCluster(context, async (snapshot) => {
      const unit = snapshot.units.get(name);
      if (unit === undefined) throw noSuchUnit(name);
      const version = versionList(unit, snapshot).find((one) => String(one.number) === number);
      if (version === undefined)
        throw new KeelError("KEEL-543", `${name} has no version ${JSON.stringify(number.slice(0, 20))}`, {
          hint: `keel versions ${name} lists them`,
        });
      const { hash } = version;
      return { hash, text: await context.options.bodies.load(hash, { signal: context.signal }) };
    });
    if (body.text === undefined)
      throw new KeelError("KEEL-402", `${name}: its file ${body.hash} is not in the store`);
    return new Response(body.text, {
      headers: {
        "content-type": "application/octet-stream",
        etag: `"${body.hash}"`,
        "cache-control": "no-store",
        "content-disposition": "attachment",
      },
    });
  });
}
