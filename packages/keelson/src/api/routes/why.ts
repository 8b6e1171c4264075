// Why a unit is where it is: each machine with its reasons. Why a machine is as it is.
import { KeelError } from "../../base/errors.ts";
import { instancesOf } from "../../model/instances.ts";
import { jsonAnswer } from "../answer.ts";
import { withCluster } from "../context.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import type { WhyView } from "../wire/reasons.ts";
import { noSuchUnit } from "./cluster.ts";

export function whyRoutes(routes: ApiRoutes, context: ApiContext): void {
  routes.get("/v1/why/:name", async (c) => {
    const name = c.req.param("name");
    return await withCluster(context, async (_snapshot, view) => {
      const { revision, instances } = await context.reader.why(view, name);
      if (instances.length === 0 && !view.snapshot.units.has(name)) throw noSuchUnit(name);
      const unit = view.snapshot.units.get(name);
      const total = unit === undefined ? 0 : instancesOf(unit, view.snapshot.units).length;
      const leftOut = Math.max(0, total - instances.length);
      const answer: WhyView = { revision, unit: name, instances, leftOut };
      return jsonAnswer(answer);
    });
  });

  routes.get("/v1/machines/:name/why", async (c) => {
    const name = c.req.param("name");
    return await withCluster(context, async (snapshot, view) => {
      const members = [...snapshot.members.values()];
      const id = members.find((member) => member.name === name || member.id === name)?.id;
      const found = id === undefined ? undefined : await context.reader.whyMachine(view, id);
      if (found === undefined) throw new KeelError("KEEL-502", `no machine "${name.slice(0, 80)}"`);
      return jsonAnswer(found);
    });
  });
}
