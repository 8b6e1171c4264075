// The update service's fleet: groups with their counts and rollouts, and why a machine is not updating.
import { KeelError } from "../../base/errors.ts";
import type { UpdateFleet } from "../../model/update-overview.ts";
import { jsonAnswer } from "../answer.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import type { UpdatesView, UpdateWhyView } from "../wire/updates.ts";

export function updateRoutes(routes: ApiRoutes, { options }: ApiContext): void {
  function fleet(): UpdateFleet {
    const found = options.updates?.();
    if (found === undefined) throw new KeelError("KEEL-913", `${options.machine.name} serves no updates`);
    return found;
  }

  routes.get("/v1/updates", () => {
    const answer: UpdatesView = fleet().overview();
    return jsonAnswer(answer);
  });

  routes.get("/v1/updates/machines/:machine", (c) => {
    const machine = c.req.param("machine");
    const machines = fleet().why(machine);
    if (machines.length === 0)
      throw new KeelError("KEEL-914", `no machine "${machine.slice(0, 80)}" asked for updates`);
    const answer: UpdateWhyView = { machines };
    return jsonAnswer(answer);
  });
}
