// When a release stops by itself. Only machines count, not reports: one machine is one result of a rollout, whatever
// it says and how often; and only one that was given the version can have a result.
import type { UpdatePolicy } from "../model/update-service.ts";

export interface RolloutResults {
  /** Machines that have the version and are well, and … */
  readonly ok: number;
  /** … that failed it. */
  readonly failed: number;
}

/** Which of the limits is reached. */
export function trips({ halt }: Pick<UpdatePolicy, "halt">, { ok, failed }: RolloutResults) {
  if (halt === null || failed === 0) return undefined;
  if (failed >= halt.failures) return "failures" as const;
  const results = ok + failed;
  return results >= halt.ofAtLeast && failed / results >= halt.share ? ("share" as const) : undefined;
}

/**
 * Whether a report is taken for a result. Who proved itself may be late with it; who did not must hold a grant.
 * @param group what the group asks of its machines
 */
export function counts(
  group: Pick<UpdatePolicy, "verified">,
  { verified, holdsGrant }: { readonly verified: boolean; readonly holdsGrant: boolean },
): boolean {
  return verified || (group.verified === "any" && holdsGrant);
}
