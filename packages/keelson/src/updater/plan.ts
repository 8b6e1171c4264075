// What an update will do, decided from facts alone: steps, or one refusal with its reason. Whether the release is
// genuine, for this machine and not too old was decided before: releases/release.ts.
import type { SlotName } from "../model/os-image.ts";
import type { ReleaseManifest } from "../releases/manifest.ts";
import type { SlotEntry, SlotState } from "./boot-slots.ts";
import { nextEntry } from "./boot-order.ts";

export interface PlanFacts {
  readonly running: string;
  readonly slots: readonly SlotState[];
  readonly entries: readonly SlotEntry[];
  /** Bytes that the kernel may have on the ESP. */
  readonly kernelRoom: number;
  /** Versions that did not hold on this machine. */
  readonly failed: readonly { readonly version: string; readonly reason: string }[];
  readonly manifest: ReleaseManifest;
  readonly age: "newer" | "same" | "older";
  /** Overrides what is marked so. */
  readonly force: boolean;
}

export type Step =
  /** The kernel is fetched and looked at before anything is overwritten. */
  | { readonly kind: "kernel" }
  /** The slot seems to hold the image already, from an update that broke off: it is only read. */
  | { readonly kind: "present"; readonly slot: SlotName }
  /** Tried first; a full one follows when it fails. */
  | { readonly kind: "delta"; readonly name: string; readonly bytes: number }
  | { readonly kind: "root"; readonly bytes: number }
  | { readonly kind: "verify"; readonly slot: SlotName }
  | { readonly kind: "activate" };

export const refusals = [
  "runs",
  "waits",
  "supersedes",
  "trial",
  "failed",
  "slots",
  "slot-too-small",
  "esp-too-small",
] as const;

export interface PlanRefusal {
  readonly reason: (typeof refusals)[number];
  readonly text: string;
  /** Whether --force overrides it. */
  readonly forcible: boolean;
}

export type Plan =
  | { readonly steps: readonly Step[]; readonly slot: SlotName; readonly rootBytes: number }
  | { readonly refusal: PlanRefusal };

export function planUpdate(facts: PlanFacts): Plan {
  const refusal = firstRefusal(facts);
  if (refusal !== undefined) return { refusal };
  const { manifest, slots, running } = facts;
  const active = slots.find((one) => one.active);
  const passive = slots.find((one) => !one.active);
  if (passive === undefined || active === undefined) return { refusal: noSlots };
  const { root, deltas = [] } = manifest;
  const rootBytes = root.unpacked?.size ?? root.size;
  const slot = passive.name;
  const delta = deltas.find(({ from, base }) => from === running && base.size <= active.bytes);
  const steps: Step[] = [{ kind: "kernel" }];
  if (passive.uuid === root.uuid) steps.push({ kind: "present", slot });
  if (delta !== undefined && delta.size < root.size)
    steps.push({ kind: "delta", name: delta.name, bytes: delta.size });
  steps.push({ kind: "root", bytes: root.size }, { kind: "verify", slot }, { kind: "activate" });
  return { steps, slot, rootBytes };
}

const noSlots: PlanRefusal = {
  reason: "slots",
  text: "this machine does not have one running and one other slot",
  forcible: false,
};

function firstRefusal(facts: PlanFacts): PlanRefusal | undefined {
  for (const refusal of refusalsOf(facts)) if (!refusal.forcible || !facts.force) return refusal;
  return undefined;
}

function* refusalsOf(facts: PlanFacts): Generator<PlanRefusal> {
  const { running, slots, entries, manifest, failed, kernelRoom } = facts;
  const { version, root, kernel } = manifest;
  if (version === running) {
    yield { reason: "runs", text: `version ${version} runs already`, forcible: false };
    return;
  }
  const passive = slots.find((one) => !one.active);
  if (passive === undefined || !slots.some((one) => one.active)) yield noSlots;
  const bytes = root.unpacked?.size ?? root.size;
  if (passive !== undefined && bytes > passive.bytes)
    yield {
      reason: "slot-too-small",
      text: `the image has ${bytes} bytes, the slot ${passive.bytes}`,
      forcible: false,
    };
  if (kernel.size > kernelRoom)
    yield {
      reason: "esp-too-small",
      text: `the kernel has ${kernel.size} bytes, and the ESP room for ${kernelRoom}`,
      forcible: false,
    };
  const next = nextEntry(entries);
  if (next !== undefined && next.version === version && next.slot !== undefined)
    yield {
      reason: "waits",
      text: `version ${version} is installed and waits for its restart`,
      forcible: true,
    };
  else if (next !== undefined && next.version !== running && facts.age === "older")
    yield {
      reason: "supersedes",
      text: `version ${next.version} waits for its restart, and ${version} is older`,
      forcible: true,
    };
  const own = entries.find((entry) => entry.version === running);
  if (own?.tries !== undefined && own.tries.left > 0)
    yield {
      reason: "trial",
      text: `version ${running} is on trial, and the other slot holds what it would fall back to`,
      forcible: true,
    };
  const before = failed.find((one) => one.version === version);
  if (before !== undefined)
    yield {
      reason: "failed",
      text: `version ${version} failed on this machine before: ${before.reason}`,
      forcible: true,
    };
}
