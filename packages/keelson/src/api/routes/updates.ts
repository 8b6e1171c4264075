// The update service's fleet: groups with their counts and rollouts, and why a machine is not updating.
import { KeelError } from "../../base/errors.ts";
import type { UpdateFleet } from "../../model/update-overview.ts";
import { jsonAnswer } from "../answer.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import type { UpdateMachinesView, UpdatesView, UpdateWhyView } from "../wire/updates.ts";

/** Most machines of one page. */
const MOST = 1000;

function number(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^\d{1,9}$/.test(text)) throw new KeelError("KEEL-104", `"${text.slice(0, 40)}" is no number`);
  return Number(text);
}

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

  routes.get("/v1/updates/applications/:application/machines", (c) => {
    const page = {
      from: number(c.req.query("from"), 0),
      most: Math.min(MOST, number(c.req.query("limit"), 100)),
    };
    const answer: UpdateMachinesView = fleet().machines(c.req.param("application"), page);
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
