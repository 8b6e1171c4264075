// What would happen if: answered from the scheduler's own passes. Changes nothing.
import { setImmediate } from "node:timers/promises";
import { KeelError } from "../../base/errors.ts";
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { Intent } from "../../model/operation.ts";
import type { PlacementSource } from "../../model/placement/cache.ts";
import { type WhatIf, whatIf } from "../../scheduler/foretelling/what-if.ts";
import { jsonAnswer } from "../answer.ts";
import { foretellers } from "../foretellers.ts";
import { readJson } from "../body.ts";
import type { ChangeQueue } from "../change-queue.ts";
import { withCluster } from "../context.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import { Slots } from "../slots.ts";
import {
  adding,
  type AskedSupposition,
  changing,
  checkSupposable,
  losing,
  type PreparedSupposition,
  suppositionSchema,
  withBodies,
} from "../supposition.ts";
import type { WhatIfView } from "../wire/foretelling.ts";

/** So long is worked on one question, pauses for other requests included. */
const patienceMs = 20_000;
const atOnce = 2;

interface Question extends PreparedSupposition {
  readonly placements: PlacementSource;
}

export function whatIfRoutes(routes: ApiRoutes, context: ApiContext, changes: ChangeQueue): void {
  const slots = new Slots("such questions", atOnce);
  const { clock } = context.options;

  routes.post("/v1/what-if", async (c) => {
    const asked = await readJson(c.env.incoming, clock, suppositionSchema);
    using _slot = slots.take();
    return await withCluster(context, async (_snapshot, view) => {
      const { snapshot } = await context.reader.read(view);
      const { supposition, words, placements } = await prepare(asked, snapshot);
      const facts = context.reader.times(view);
      const outcome = await work(whatIf(snapshot, supposition, { placements, facts, deciders: foretellers }));
      const answer: WhatIfView = { revision: snapshot.revision, supposed: words, ...outcome };
      return jsonAnswer(answer);
    });
  });

  async function prepare(asked: AskedSupposition, snapshot: ClusterSnapshot): Promise<Question> {
    const { placements } = context.reader;
    if ("lose" in asked) return { ...losing(asked.lose, snapshot), placements };
    if ("add" in asked) return { ...adding(asked.add, snapshot), placements };
    return await prepareIntent(asked.intent, snapshot);
  }

  async function prepareIntent(intent: Intent, snapshot: ClusterSnapshot): Promise<Question> {
    checkSupposable(intent);
    const request = { intent, confirm: {}, who: "unknown", via: "api" };
    const planned = await changes.plan(request, snapshot);
    return { ...changing(planned), placements: withBodies(context.reader.placements, planned.bodies) };
  }

  /** Pass by pass, so that others are answered in between. */
  async function work(steps: Generator<undefined, WhatIf>): Promise<WhatIf> {
    const deadline = clock.now() + patienceMs;
    for (;;) {
      const { done, value } = steps.next();
      if (done === true) return value;
      if (clock.now() > deadline)
        throw new KeelError("KEEL-571", `not worked out within ${patienceMs / 1000} s`);
      await setImmediate(undefined, { signal: context.signal });
    }
  }
}
