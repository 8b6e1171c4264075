// Whether the cluster can lose any one machine. Answered at once: when it is not known yet, that is the answer.
import type { StoreStatusView } from "../../store-cluster/status.ts";
import { jsonAnswer } from "../answer.ts";
import { withCluster } from "../context.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import { survivabilityView } from "../views/survivability-view.ts";

/** The members of the store are not asked more often. */
const storeMs = 10_000;

export function survivabilityRoutes(routes: ApiRoutes, context: ApiContext): void {
  const { storeService, clock } = context.options;
  let asked: { readonly at: number; readonly status: Promise<StoreStatusView | undefined> } | undefined;

  function storeStatus(): Promise<StoreStatusView | undefined> {
    if (asked === undefined || clock.now() - asked.at > storeMs) {
      const status = storeService?.status().catch(() => undefined) ?? Promise.resolve(undefined);
      asked = { at: clock.now(), status };
    }
    return asked.status;
  }

  routes.get("/v1/survivability", async () =>
    withCluster(context, async (_snapshot, view) => {
      const [judgement, store] = await Promise.all([context.survivability.judge(view), storeStatus()]);
      return jsonAnswer(survivabilityView(judgement, store));
    }),
  );
}
