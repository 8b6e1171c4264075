// The store itself: how it is, and its move to a cluster of its own.
import * as z from "zod/mini";
import { KeelError } from "../../base/errors.ts";
import type { MoveRun } from "../../store-cluster/move-run.ts";
import type { StoreService } from "../../store-cluster/service.ts";
import { jsonAnswer } from "../answer.ts";
import { readJson } from "../body.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import { lineStream, pulledStream } from "../events/pulled-stream.ts";
import type { Bindings } from "../listener.ts";

const growth = z.strictObject({ members: z._default(z.int(), 3) });
const move = z.discriminatedUnion("to", [
  z.strictObject({ to: z.literal("etcd"), members: z._default(z.int(), 3) }),
  z.strictObject({ to: z.literal("embedded") }),
]);
const newcomer = z.strictObject({ machine: z.string().check(z.regex(/^[0-9a-f]{32}$/)) });
const replacement = z.strictObject({
  machine: z.string().check(z.minLength(1), z.maxLength(100)),
  cancel: z._default(z.boolean(), false),
});

/** A looker-on that takes no line for this long is dropped. */
const stuckMs = 30_000;

export function storeRoutes(routes: ApiRoutes, context: ApiContext): void {
  const { clock } = context.options;

  routes.get("/v1/store", async () => jsonAnswer(await serviceOf(context).status()));

  routes.post("/v1/store/plan", async (c) => {
    const { members } = await readJson(c.env.incoming, clock, growth);
    return jsonAnswer(await serviceOf(context).planGrowth(members));
  });

  routes.post("/v1/store/move", async (c) => {
    const wanted = await readJson(c.env.incoming, clock, move);
    const service = serviceOf(context);
    const run = wanted.to === "etcd" ? await service.grow(wanted.members) : service.comeHome();
    return linesOf(context, c.env, run);
  });

  routes.post("/v1/store/forget", async () =>
    jsonAnswer({ forgotten: await serviceOf(context).forgetFormer() }),
  );

  // Holds a private key: only the socket answers it, as every POST.
  routes.post("/v1/store/credentials", async (c) => {
    const { machine } = await readJson(c.env.incoming, clock, newcomer);
    return jsonAnswer({ credentials: (await serviceOf(context).credentials(machine)) ?? null });
  });

  routes.post("/v1/store/replace", async (c) => {
    const { machine, cancel } = await readJson(c.env.incoming, clock, replacement);
    await serviceOf(context).replace(machine, { cancel });
    return jsonAnswer({ machine }, 202);
  });
}

export function serviceOf({ options }: ApiContext): StoreService {
  if (options.storeService) return options.storeService;
  throw new KeelError("KEEL-104", "this daemon does not look after the store");
}

/** One line of JSON for each step; the last one is `done`. The move goes on when nobody reads. */
export function linesOf(context: ApiContext, { outgoing }: Bindings, run: MoveRun): Response {
  const slot = context.streams.take();
  let index = 0;
  const stream = pulledStream({
    async next(signal) {
      const line = await run.line(index++, signal);
      return line === undefined ? undefined : `${JSON.stringify(line)}\n`;
    },
    clock: context.options.clock,
    stuckMs,
    drop: () => outgoing.destroy(),
    ended: () => slot[Symbol.dispose](),
    signal: context.signal,
  });
  return lineStream(stream);
}
