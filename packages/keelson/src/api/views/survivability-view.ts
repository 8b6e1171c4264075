// Whether the cluster can lose any one machine, in words and figures. Units and the store are asked apart: both must
// survive.
import type { StoreStatusView } from "../../store-cluster/status.ts";
import type { Judgement } from "../survivability-watch.ts";
import type { StoreRisk, SurvivabilityView } from "../wire/foretelling.ts";

/** @param store undefined when nobody can tell how it is */
export function survivabilityView(
  { verdict, isCurrent }: Judgement,
  store: StoreStatusView | undefined,
): SurvivabilityView {
  const { indispensable = [], isCut = false, machines = 0 } = verdict?.survivability ?? {};
  const risks = store === undefined ? [] : storeRisks(store);
  const isBad = indispensable.length > 0 || risks.length > 0;
  const answer = isBad ? "no" : verdict === undefined ? null : "yes";
  return {
    answer,
    isCurrent: isCurrent || (verdict === undefined && isBad),
    revision: verdict?.revision ?? 0,
    at: verdict?.at ?? null,
    words: wordsOf({ answer, indispensable, isCut, risks, machines }),
    indispensable,
    isCut,
    machines,
    store: risks,
  };
}

type Facts = Pick<SurvivabilityView, "answer" | "indispensable" | "isCut" | "machines"> & {
  readonly risks: readonly StoreRisk[];
};

function wordsOf({ answer, indispensable, isCut, risks, machines }: Facts): string {
  if (answer === null) return "being worked out";
  if (answer === "yes")
    return machines === 0 ? "there is no machine to lose" : "the cluster can lose any one machine";
  const [risk] = risks;
  const [first] = indispensable;
  const names = indispensable.map(({ name }) => name);
  const others = [...names.slice(1, 4), ...(names.length > 4 || isCut ? ["others"] : [])];
  const more = others.length === 0 ? "" : `; nor can it lose ${others.join(", ")}`;
  if (first !== undefined)
    return `the cluster cannot lose ${first.name}: ${first.instance} would be nowhere, ${first.reason}${more}`;
  return `the cluster cannot lose ${risk?.name ?? ""}: ${risk?.reason ?? ""}`;
}

/** Machines with which the store would go. */
function storeRisks({ kind, members }: StoreStatusView): StoreRisk[] {
  const voters = members.filter(({ role }) => role !== "learner");
  const healthy = voters.filter((member) => member.healthy);
  const majority = Math.floor(voters.length / 2) + 1;
  return healthy.flatMap(({ machine, machineName: name }) => {
    if (machine === "" || healthy.length - 1 >= majority) return [];
    const reason =
      kind === "embedded" || voters.length === 1
        ? "the store is on it alone, and nothing moves without the store (`keel store grow`)"
        : `${healthy.length} of ${voters.length} members of the store are well, and it needs ${majority}`;
    return [{ machine, name, reason }];
  });
}
