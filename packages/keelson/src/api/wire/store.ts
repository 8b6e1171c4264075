// What the API says of the store that holds the cluster.
export type { GrowthPlan } from "../../store-cluster/growth-plan.ts";
export type { MoveLine } from "../../store-cluster/move-run.ts";
export type { StoreMemberView, StoreStatusView } from "../../store-cluster/status.ts";
