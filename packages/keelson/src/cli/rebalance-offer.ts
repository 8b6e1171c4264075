// How many instances a rebalancing would move now: after a machine came back or was added, people are told.
import { KeelError } from "../base/errors.ts";
import { whoAsks } from "./change.ts";
import type { Invocation } from "./invocation.ts";

/** 0 when nothing is worth a move, or the cluster is not at rest. */
export async function movesOffered(keel: Pick<Invocation, "daemon" | "terminal">): Promise<number> {
  try {
    const intent = { kind: "rebalance", most: 50 } as const;
    const { forecast } = await (
      await keel.daemon()
    ).plan({ intent, confirm: {}, who: whoAsks(keel), via: "cli" });
    return forecast?.moves.length ?? 0;
  } catch (error) {
    if (error instanceof KeelError && error.code === "KEEL-533") return 0;
    throw error;
  }
}
