// From what is wanted and what was applied to steps. Pure: the same inputs give the same steps, and after a run
// without failures there are none.
import { describeItem, digestOf, isVolatile, kindOrder } from "./items.ts";
import type { Item, ItemKind } from "./items.ts";
import { substitute } from "./addresses.ts";
import type { Addresses } from "./addresses.ts";
import type { AppliedItem, ProvisionState } from "./state.ts";

export type Step =
  | { readonly action: "remove"; readonly id: string; readonly what: string; readonly was: AppliedItem }
  | {
      readonly action: "create" | "change" | "repeat";
      readonly id: string;
      readonly what: string;
      readonly item: Item;
      readonly digest: string;
      readonly was?: AppliedItem;
    };

export interface Plan {
  readonly steps: readonly Step[];
  /** Need an address or a network that is not there yet: left as they are. */
  readonly waiting: readonly string[];
  /** Ask for an address that nobody knows. */
  readonly impossible: readonly { readonly id: string; readonly what: string; readonly message: string }[];
}

export interface Situation {
  readonly addresses: Addresses;
  /** Whether addresses can still come: the network is not up yet. */
  readonly mayWait: boolean;
  /** /proc/sys/kernel/random/boot_id */
  readonly boot: string;
  /** Another instance than the one for which the state was written: everything is applied again. */
  readonly isNewInstance: boolean;
  /** The state partition is gone: only what lets a person in. */
  readonly isRescue: boolean;
}

const rescueKinds: readonly ItemKind[] = ["hostname", "group", "user", "keys"];

export function plan(wanted: readonly Item[], state: ProvisionState, situation: Situation): Plan {
  const before = new Map(state.applied.map((entry) => [entry.id, entry]));
  const steps: Step[] = [];
  const waiting: string[] = [];
  const impossible: { id: string; what: string; message: string }[] = [];
  const items = situation.isRescue ? wanted.filter(({ kind }) => rescueKinds.includes(kind)) : wanted;
  const order = (kind: ItemKind): number => kindOrder.indexOf(kind);
  for (const raw of items.toSorted((a, b) => order(a.kind) - order(b.kind))) {
    const item = substitute(raw, situation.addresses);
    if ("missing" in item) {
      const { id } = raw;
      if (situation.mayWait) waiting.push(id);
      else
        impossible.push({
          id,
          what: describeItem(raw),
          message: `nobody tells this machine ${item.missing}`,
        });
      continue;
    }
    if (item.kind === "keelson" && situation.mayWait && needsNetwork(item)) {
      waiting.push(item.id);
      continue;
    }
    const digest = digestOf(item);
    const was = before.get(item.id);
    const common = { id: item.id, what: describeItem(item), item, digest };
    if (was === undefined) steps.push({ action: "create", ...common });
    else if (was.digest !== digest) steps.push({ action: "change", ...common, was });
    else if (situation.isNewInstance || (isVolatile(item) && was.boot !== situation.boot))
      steps.push({ action: "repeat", ...common, was });
  }
  const kept = new Set(wanted.map(({ id }) => id));
  const gone = state.applied.filter(({ id }) => !kept.has(id));
  const kindOf = (id: string): number => order(id.split(":", 1)[0] as ItemKind);
  const removals = gone
    .toSorted((a, b) => kindOf(b.id) - kindOf(a.id) || b.id.length - a.id.length)
    .map((was): Step => ({ action: "remove", id: was.id, what: was.what, was }));
  return { steps: [...removals, ...steps], waiting, impossible };
}

/** Its address has to be found, or the store: neither before the network is up. */
function needsNetwork(item: Extract<Item, { kind: "keelson" }>): boolean {
  return item.keelson.address === undefined || item.keelson.discovery !== undefined;
}
