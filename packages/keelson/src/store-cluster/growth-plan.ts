// What a growth of the store will do, and what stands in its way. Snapshot in, plan out.
import { chooseSpread } from "../membership/choose.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { Machine } from "../model/machine.ts";
import type { StoreLocation } from "../model/store.ts";

export interface GrowthPlan {
  readonly size: number;
  readonly machines: readonly {
    readonly id: string;
    readonly name: string;
    readonly address: string;
    readonly zone: string;
  }[];
  /** What will happen, in sentences. */
  readonly steps: readonly string[];
  /** What must be mended first; nothing is done while there is any. */
  readonly refusals: readonly string[];
}

export interface GrowthFacts {
  readonly snapshot: Pick<ClusterSnapshot, "machines" | "members">;
  readonly size: number;
  readonly location: StoreLocation | undefined;
  /** This keeld runs the embedded store, and can hand it over. */
  readonly holdsStore: boolean;
  /** Version of this keeld. */
  readonly version: string;
}

const sizes = [1, 3, 5, 7];

export function planGrowth(facts: GrowthFacts): GrowthPlan {
  const { snapshot, size, location, holdsStore, version } = facts;
  const present = [...snapshot.machines.values()];
  const chosen = chooseSpread(present.map(asCandidate), size);
  const machines = chosen.map(({ id, name, zone }) => {
    return { id, name, zone, address: snapshot.machines.get(id)?.address ?? "" };
  });
  const lost = [...snapshot.members.values()].filter(({ id }) => !snapshot.machines.has(id));
  const other = present.filter((machine) => machine.keeldVersion !== version);
  const refusals = [
    ...(sizes.includes(size)
      ? []
      : [`a cluster has ${sizes.join(", ")} members, not ${size}: an even number bears no more losses`]),
    ...(location?.kind === "etcd"
      ? [
          "the store is a cluster already; for another number of members `keel store migrate --to embedded` first",
        ]
      : []),
    ...(holdsStore ? [] : ["this machine does not run the embedded store: ask the one that does"]),
    ...(present.length >= size
      ? []
      : [`${size} members need ${size} machines, and ${present.length} are up`]),
    ...lost.map(
      ({ name }) =>
        `${name} is away and could not follow: start it, or remove it with \`keel machine rm ${name}\``,
    ),
    ...other.map(
      ({ name, keeldVersion }) =>
        `${name} runs keeld ${keeldVersion}, this one is ${version}: bring them to the same version`,
    ),
  ];
  const names = machines.map(({ name, zone }) => (zone === "" ? name : `${name} (zone ${zone})`)).join(", ");
  const steps = [
    `make an authority and certificates for the store and its ${present.length + 1} clients`,
    `start a member of etcd on ${names}`,
    "copy the store while it serves, with the same revisions",
    "seal the embedded store, compare both, and switch every keeld over: writers wait for a moment, nothing is moved or restarted",
    "keep the sealed embedded store as it is",
  ];
  return { size, machines, steps, refusals };
}

function asCandidate({ id, name, metadata }: Machine) {
  return { id, name, zone: metadata["zone"] ?? "" };
}
