// When this machine must stop its singletons, so that they are gone before anyone else may start them. Pure:
// times in, decision out. All times are milliseconds of one monotonic clock.

/** How long before the lease's end each does what. */
export const fenceMargins = {
  /** The agent stops the units. */
  stopMs: 1500,
  /** The fence, a program of its own, does it if the agent has not. */
  fenceMs: 1200,
  /** The agent kills what still runs. */
  killMs: 500,
} as const;

export interface FenceInput {
  readonly now: number;
  readonly leaseMs: number;
  /** When the last renewal was sent that the store answered; undefined before the first. */
  readonly renewedAt: number | undefined;
  /** The last moment for which there is proof that nobody can act for a full lease time from it. */
  readonly provenAt: number | undefined;
  /** An earlier daemon's deadline for the fence, while this one has no renewal of its own. */
  readonly inheritedFenceAt: number | undefined;
}

export interface FenceDecision {
  /** `stop`: stop the singletons and start none; `kill`: what still runs is killed. */
  readonly action: "none" | "stop" | "kill";
  /** When the singletons are to be stopped. */
  readonly stopAt: number;
  /** When the decision changes next if nothing is heard. */
  readonly nextAt: number;
  /** When the fence is to act; what its file says. */
  readonly fenceAt: number;
  /** The store was not heard for so long that proof is to be looked for. */
  readonly seekProof: boolean;
}

/** undefined when there is nothing to go by: no lease was ever had, so nothing runs under one. */
export function decideFence(input: FenceInput): FenceDecision | undefined {
  const { now, leaseMs } = input;
  const end = leaseEnd(input);
  if (end === undefined) return undefined;
  const fenceAt = end - fenceMargins.fenceMs;
  const heard = input.renewedAt ?? end - leaseMs;
  const seekProof = now - heard >= leaseMs / 3;
  const stopAt = end - fenceMargins.stopMs;
  const killAt = end - fenceMargins.killMs;
  if (now < stopAt) return { action: "none", nextAt: stopAt, stopAt, fenceAt, seekProof };
  if (now < killAt) return { action: "stop", nextAt: killAt, stopAt, fenceAt, seekProof };
  return { action: "kill", nextAt: now + leaseMs, stopAt, fenceAt, seekProof };
}

/** Until when the store certainly keeps the lease, or nobody can act on its end. */
function leaseEnd({ leaseMs, renewedAt, provenAt, inheritedFenceAt }: FenceInput): number | undefined {
  const from = Math.max(renewedAt ?? -Infinity, provenAt ?? -Infinity);
  if (from > -Infinity) return from + leaseMs;
  return inheritedFenceAt === undefined ? undefined : inheritedFenceAt + fenceMargins.fenceMs;
}
