// Restoring the running store: a backup comes in and is answered with a plan, the plan is carried out or dropped.
import * as z from "zod/mini";
import { KeelError } from "../../base/errors.ts";
import type { StoreRestore } from "../../model/backup.ts";
import { jsonAnswer } from "../answer.ts";
import { bodyChunks, readJson } from "../body.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import { linesOf, serviceOf } from "./store.ts";

/** Largest backup, in bytes: twice etcd's own limit of what a store should hold. */
const maxBackupBytes = 16 * 2 ** 30;
const restoring = z.strictObject({ plan: z.string().check(z.minLength(1), z.maxLength(40)) });

export function storeRestoreRoutes(routes: ApiRoutes, context: ApiContext): void {
  const { clock } = context.options;

  // Asked before a file is sent that may be large.
  routes.get("/v1/store/restore", async () => {
    serviceOf(context).checkReplaceable();
    restoreOf(context);
    return new Response(null, { status: 204 });
  });

  routes.post("/v1/store/restore/plan", async (c) => {
    const { incoming } = c.env;
    serviceOf(context).checkReplaceable();
    const restore = restoreOf(context);
    using _slot = context.uploads.take();
    return jsonAnswer(await restore.plan(bodyChunks(incoming, clock, maxBackupBytes)));
  });

  routes.delete("/v1/store/restore/plan", async () => {
    await restoreOf(context).drop();
    return new Response(null, { status: 204 });
  });

  routes.post("/v1/store/restore", async (c) => {
    const { plan } = await readJson(c.env.incoming, clock, restoring);
    const restore = restoreOf(context);
    const run = serviceOf(context).replaceEmbedded(async (steps) => {
      const { keptAs, pauseMs } = await restore.carryOut(plan, (words) => steps.tell(words));
      return { words: `the store is restored; what it was is kept as ${keptAs}`, pauseMs };
    });
    return linesOf(context, c.env, run);
  });
}

function restoreOf({ options }: ApiContext): StoreRestore {
  if (options.storeRestore) return options.storeRestore;
  throw new KeelError("KEEL-724", "this machine does not run the embedded store", {
    hint: "ask the keeld with the role `store`",
  });
}
