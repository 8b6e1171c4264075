// What a caller supposes, checked, and turned into what the scheduler plays.
import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { KeelError } from "../base/errors.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { Machine } from "../model/machine.ts";
import { type Intent, intentSchema } from "../model/operation.ts";
import { PlacementCache, type PlacementSource } from "../model/placement/cache.ts";
import type { OperationPlan } from "../safeguards/operation-plan.ts";
import type { Supposition } from "../scheduler/foretelling/what-if.ts";

const name = z.string().check(z.minLength(1), z.maxLength(255));
const metadata = z.record(
  z.string().check(z.minLength(1), z.maxLength(256)),
  z.string().check(z.maxLength(1024)),
);

/** Body of `POST /v1/what-if`: one of the three. */
export const suppositionSchema = z.union([
  z.strictObject({ lose: z.array(name).check(z.minLength(1), z.maxLength(1000)) }),
  z.strictObject({
    add: z.strictObject({
      count: z._default(z.int().check(z.gte(1), z.lte(100)), 1),
      memoryBytes: z.optional(z.int().check(z.gte(1 << 20))),
      cpus: z.optional(z.number().check(z.gt(0), z.lte(4096))),
      metadata: z._default(metadata, {}),
    }),
  }),
  z.strictObject({ intent: intentSchema }),
]);
export type AskedSupposition = z.infer<typeof suppositionSchema>;

export interface PreparedSupposition {
  readonly supposition: Supposition;
  /** What is supposed, in words. */
  readonly words: string;
}

/** Machines by name, identity or the beginning of one. @throws KeelError KEEL-502 */
export function losing(names: readonly string[], snapshot: ClusterSnapshot): PreparedSupposition {
  const machines = [...snapshot.machines.values()];
  const lost = new Map<string, string>();
  for (const word of names) {
    const exact = machines.find((it) => it.name === word || it.id === word);
    const fitting = exact ? [exact] : machines.filter(({ id }) => word.length >= 4 && id.startsWith(word));
    const [machine, second] = fitting;
    if (machine === undefined || second !== undefined)
      throw new KeelError("KEEL-502", `no machine "${word.slice(0, 80)}" reports`);
    lost.set(machine.id, machine.name);
  }
  const are = lost.size === 1 ? "is" : "are";
  return { supposition: { lost: [...lost.keys()] }, words: `${[...lost.values()].join(", ")} ${are} lost` };
}

type Added = Extract<AskedSupposition, { add: unknown }>["add"];

/** Machines like those that are there: what is not said is as on the smallest of them. @throws KeelError KEEL-502 */
export function adding(
  { count, memoryBytes, cpus, metadata }: Added,
  snapshot: ClusterSnapshot,
): PreparedSupposition {
  const machines = [...snapshot.machines.values()];
  const [first] = machines;
  if (first === undefined) throw new KeelError("KEEL-502", "no machine reports after which to model another");
  const least = (of: (machine: Machine) => number): number => Math.min(...machines.map(of));
  const capacity = {
    ...first.capacity,
    memoryBytes: memoryBytes ?? least((it) => it.capacity.memoryBytes),
    cpus: cpus ?? least((it) => it.capacity.cpus),
  };
  // What its system needs is taken to be what the first one's needs.
  const own = first.allocatable ?? first.capacity;
  const kept = first.capacity.memoryBytes - own.memoryBytes;
  const memory = Math.floor(Math.max(capacity.memoryBytes / 2, capacity.memoryBytes - kept));
  const allocatable = { cpus: capacity.cpus, memoryBytes: Math.min(memory, capacity.memoryBytes) };
  const taken = new Set([...snapshot.members.values()].map((member) => member.name));
  const added = Array.from({ length: count }, (_, index): Machine => {
    let name = `new-${index + 1}`;
    while (taken.has(name)) name = `${name}-new`;
    // Behind all others, so that nothing is placed there for the sake of its identity alone.
    const id = `ffff${createHash("sha256").update(name).digest("hex").slice(0, 28)}`;
    return { ...first, id, bootId: id, name, address: "0.0.0.0", metadata, capacity, allocatable };
  });
  const what = count === 1 ? "a machine is" : `${count} machines are`;
  return { supposition: { added }, words: `${what} added` };
}

const supposable: readonly Intent["kind"][] = [
  "submit",
  "set-desired",
  "scale",
  "destroy",
  "cordon",
  "drain",
  "set-metadata",
  "configure",
];

/** @throws KeelError KEEL-104 for an intent that says nothing about where units run */
export function checkSupposable({ kind }: Intent): void {
  if (supposable.includes(kind)) return;
  throw new KeelError("KEEL-104", `${kind} moves no unit that could be foretold`, {
    hint: supposable.join(", "),
  });
}

export function changing({ operation }: OperationPlan): PreparedSupposition {
  const { changes, records = [], summary } = operation;
  return { supposition: { changes, records }, words: `you ${summary}` };
}

/** The placement rules of files that are only supposed, before those of the cluster. */
export function withBodies(
  placements: PlacementSource,
  bodies: ReadonlyMap<string, string>,
): PlacementSource {
  const supposed = new PlacementCache((hash) => bodies.get(hash));
  return {
    rulesOf: (hash, unit) =>
      bodies.has(hash) ? supposed.rulesOf(hash, unit) : placements.rulesOf(hash, unit),
  };
}
