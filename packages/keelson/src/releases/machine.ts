// What a machine knows of itself and of what it has seen, as far as releases matter. The updater stores it; what is
// in it only ever grows.
import * as z from "zod/mini";
import { statePaths, variants } from "../model/os-image.ts";
import type { Variant } from "../model/os-image.ts";
import { parseCanonical, stringifyCanonical } from "./canonical-json.ts";
import type { DowngradeFacts } from "./downgrade.ts";
import { judge } from "./refusal.ts";
import type { Verdict } from "./refusal.ts";
import type { Root } from "./root.ts";
import { channelName, compareReleases, epoch, generation, moment, sha256, version } from "./words.ts";
import type { ReleaseOrder } from "./words.ts";

/** Where trust lies on a machine. */
export const trustPaths = {
  /** The root that the image ships, under dm-verity. */
  shipped: "/usr/lib/keelson/trust/root.json",
  /** Later roots, as `root.<version>.json`. */
  folder: `${statePaths.updater}/trust`,
  /** A {@link Memory}. */
  memory: `${statePaths.updater}/trust/memory.json`,
} as const;

/** `root.7.json`: how a root is called where it is published, and in {@link trustPaths.folder}. */
export function rootFileName(rootVersion: number): string {
  return `root.${rootVersion}.json`;
}

/** `channel.stable_vm_amd64.json`: how a pointer is called where it is published. */
export function channelFileName(
  channel: string,
  { variant, architecture }: { readonly variant: Variant; readonly architecture: string },
): string {
  return `channel.${channel}_${variant}_${architecture}.json`;
}

/** What runs, from the verified image itself. */
export interface MachineFacts extends ReleaseOrder {
  readonly product: string;
  readonly variant: Variant;
  /** Debian's: amd64, arm64. */
  readonly architecture: string;
}

const seenPointer = z.strictObject({
  generation,
  counter: z.int().check(z.gte(0)),
  issued: moment,
  expires: moment,
  epoch,
  version,
  /** The pointer's own payload. */
  sha256,
});
export type SeenPointer = z.infer<typeof seenPointer>;

const memoryShape = z.strictObject({
  schema: z.literal(1),
  /** The newest release that this machine started and found good. */
  newest: z.nullable(z.strictObject({ epoch, version })),
  /** The newest pointer of each channel. */
  channels: z
    .array(z.strictObject({ name: channelName, variant: z.enum(variants), pointer: seenPointer }))
    .check(z.maxLength(64)),
});
export type Memory = z.infer<typeof memoryShape>;

export const emptyMemory: Memory = { schema: 1, newest: null, channels: [] };

/** What every check is given besides the bytes. */
export interface Circumstances {
  readonly trust: Root;
  readonly machine: MachineFacts;
  readonly memory: Memory;
  /** Seconds since 1970. */
  readonly now: number;
  /** A verified leave to go back: see downgrade.ts. */
  readonly downgrade?: DowngradeFacts;
}

/** Reads {@link trustPaths.memory}. Refuses with KEEL-821. */
export function parseMemory(bytes: Uint8Array): Verdict<Memory> {
  return judge(() =>
    parseCanonical(bytes, { shape: memoryShape, what: "the memory of trust", limit: 1 << 16 }),
  );
}

export function encodeMemory(memory: Memory): Uint8Array {
  return stringifyCanonical(memory);
}

/** To be kept when a release was started and found good. Never goes back. */
export function rememberRelease(memory: Memory, { epoch: age, version: name }: ReleaseOrder): Memory {
  const release = { epoch: age, version: name };
  if (memory.newest !== null && compareReleases(memory.newest, release) >= 0) return memory;
  return { ...memory, newest: release };
}

/** To be kept as soon as a pointer was verified, before anything is done about it. */
export function rememberPointer(
  memory: Memory,
  seen: { readonly channel: string; readonly variant: Variant; readonly pointer: SeenPointer },
): Memory {
  const { channel: name, variant, pointer } = seen;
  const others = memory.channels.filter((one) => one.name !== name || one.variant !== variant).slice(-63);
  return { ...memory, channels: [...others, { name, variant, pointer }] };
}

/** The newest of what runs and of what was once good here: nothing older is installed without a leave. */
export function oldestAllowed({ machine, memory }: Pick<Circumstances, "machine" | "memory">): ReleaseOrder {
  const { newest } = memory;
  return newest !== null && compareReleases(newest, machine) > 0 ? newest : machine;
}
