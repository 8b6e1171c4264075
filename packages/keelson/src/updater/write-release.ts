// Carries a plan out: the kernel into memory, the root image into the passive slot, both compared with the manifest,
// and last the rename that counts.
import { createHash } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { KeelError, describeError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import { kernelWords } from "../model/os-image.ts";
import type { SlotName } from "../model/os-image.ts";
import { whyRefused } from "../secure-boot/verify.ts";
import type { KeyRing } from "../secure-boot/verify.ts";
import { applyDelta } from "../releases/apply-delta.ts";
import type { ReleaseManifest } from "../releases/manifest.ts";
import type { BootSlots } from "./boot-slots.ts";
import { kernelWord, readKernelCommandLine } from "./disk-slots/kernel-image.ts";
import type { Plan } from "./plan.ts";
import type { Phase } from "./records.ts";
import { fetchFile } from "./sources/fetch-file.ts";
import type { FetchOptions, SignedFile } from "./sources/fetch-file.ts";
import type { PartialFiles } from "./sources/partial-file.ts";
import type { ReleaseSource } from "./sources/release-source.ts";
import { unpackZstd } from "./sources/unpack.ts";

export interface Writing {
  readonly manifest: ReleaseManifest;
  readonly plan: Extract<Plan, { readonly steps: unknown }>;
  readonly slots: BootSlots;
  readonly source: ReleaseSource;
  readonly partials: PartialFiles;
  readonly clock: Clock;
  readonly random: Random;
  /** Set where the firmware starts only what is signed by one of them. */
  readonly firmwareKeys?: KeyRing;
  readonly signal: AbortSignal;
  /** Where it is; bytes of the phase. */
  readonly progress: (phase: Phase, done: number, total: number) => void;
  /** What a person should know: a retry, a delta that did not work. */
  readonly note: (text: string) => void;
}

export interface Written {
  readonly how: "full" | "delta" | "present";
  /** Bytes that were fetched. */
  readonly bytes: number;
}

/** A kernel is held in memory before it is written. */
const mostKernelBytes = 256 << 20;

/** Resolves when the release is what starts next. Before the last step nothing that starts next has changed. */
export async function writeRelease(writing: Writing): Promise<Written> {
  const { manifest, slots, signal, partials } = writing;
  const fetched = { bytes: 0, resumed: false };
  await partials.keepOnly(
    [manifest.root, manifest.kernel, ...(manifest.deltas ?? [])].map(({ sha256 }) => sha256),
  );
  const kernel = await fromAnew(writing, fetched, () => fetchKernel(writing, fetched));
  const how = await fromAnew(writing, fetched, () => writeRoot(writing, fetched));
  signal.throwIfAborted();
  writing.progress("activate", 0, 1);
  await slots.activate(manifest.version, inChunks(kernel));
  writing.progress("activate", 1, 1);
  await partials.keepOnly([]);
  return { how, bytes: fetched.bytes };
}

interface Fetched {
  bytes: number;
  /** A part of a file was kept from an earlier try. */
  resumed: boolean;
}

/** What was kept from an earlier try may have been damaged, by a power cut or then: one try without it. */
async function fromAnew<T>(writing: Writing, fetched: Fetched, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (!(error instanceof KeelError) || error.code !== "KEEL-807") throw error;
    await writing.partials.keepOnly([]);
    if (!fetched.resumed) throw error;
    fetched.resumed = false;
    writing.note(`${error.message}; fetching it from its beginning`);
    return task();
  }
}

async function fetchKernel(writing: Writing, fetched: Fetched): Promise<Uint8Array> {
  const { kernel, root, version } = writing.manifest;
  if (kernel.size > mostKernelBytes)
    throw new KeelError("KEEL-807", `${kernel.name} has ${kernel.size} bytes: no kernel is so large`);
  const parts: Uint8Array[] = [];
  for await (const part of fetchFile(
    kernel,
    fetchOptions(writing, { phase: "kernel", file: kernel, fetched }),
  ))
    parts.push(part);
  const bytes = Buffer.concat(parts);
  const line = await readKernelCommandLine(async (position, length) =>
    bytes.subarray(position, position + length),
  );
  const found = {
    uuid: line === undefined ? undefined : kernelWord(line, kernelWords.root)?.toLowerCase(),
    verity: line === undefined ? undefined : kernelWord(line, kernelWords.verity)?.split(",")[0],
    version: line === undefined ? undefined : kernelWord(line, kernelWords.version),
  };
  if (found.uuid !== root.uuid || found.verity !== root.verity || found.version !== version)
    throw new KeelError("KEEL-828", `${kernel.name} does not start the root image that the manifest names`);
  const why = writing.firmwareKeys === undefined ? undefined : whyRefused(bytes, writing.firmwareKeys);
  if (why !== undefined)
    throw new KeelError("KEEL-343", `${kernel.name} would not start on this machine: ${why}`, {
      hint: "Secure Boot is on here: take a build that is signed by a key of this machine’s",
    });
  return bytes;
}

async function writeRoot(writing: Writing, fetched: Fetched): Promise<Written["how"]> {
  const { plan, note } = writing;
  for (const step of plan.steps) {
    switch (step.kind) {
      case "present":
        if (await holds(writing, step.slot)) return "present";
        break;
      case "delta":
        if (await writeDelta(writing, fetched)) return "delta";
        break;
      case "root":
        if (!(await fillSlot(writing, (write) => writeFull(writing, fetched, write)))) {
          note(`slot ${plan.slot} does not hold what was written`);
          throw new KeelError(
            "KEEL-808",
            `slot ${plan.slot} reads back with other bytes than the manifest says`,
          );
        }
        return "full";
      case "kernel":
      case "verify":
      case "activate":
        break;
    }
  }
  throw new Error("a plan without a root image");
}

/** False when a full image must follow. */
async function writeDelta(writing: Writing, fetched: Fetched): Promise<boolean> {
  const { manifest, slots, note, signal } = writing;
  const running = await slots.running();
  const delta = manifest.deltas?.find(({ from }) => from === running.version);
  const active = (await slots.slots()).find((slot) => slot.active);
  if (delta === undefined || active === undefined) return false;
  try {
    const { size, sha256 } = manifest.root.unpacked ?? manifest.root;
    await using base = await slots.openReader(active.name);
    const isRight = await fillSlot(writing, (write) =>
      applyDelta({
        base,
        delta: fetchFile(delta, fetchOptions(writing, { phase: "delta", file: delta, fetched })),
        expected: { base: delta.base, result: { size, sha256 } },
        write,
        signal,
      }),
    );
    if (isRight) return true;
    note("the delta made another image than the manifest says; fetching the whole one");
  } catch (error) {
    if (signal.aborted || isDiskProblem(error)) throw error;
    note(`the delta cannot be used (${describeError(error)}); fetching the whole image`);
  }
  return false;
}

function isDiskProblem(error: unknown): boolean {
  return error instanceof KeelError && ["KEEL-809", "KEEL-810"].includes(error.code);
}

function fullImage(writing: Writing, fetched: Fetched): AsyncIterable<Uint8Array> {
  const { root } = writing.manifest;
  const packed = fetchFile(root, fetchOptions(writing, { phase: "root", file: root, fetched }));
  if (root.unpacked === undefined) return packed;
  return unpackZstd(packed, { name: root.name, size: root.unpacked.size });
}

type Write = (chunk: Uint8Array) => Promise<void>;

async function writeFull(writing: Writing, fetched: Fetched, write: Write): Promise<void> {
  const { plan, signal } = writing;
  let bytes = 0;
  for await (const chunk of fullImage(writing, fetched)) {
    signal.throwIfAborted();
    bytes += chunk.byteLength;
    if (bytes > plan.rootBytes)
      throw new KeelError("KEEL-807", `the image has more than the ${plan.rootBytes} bytes that were signed`);
    await write(chunk);
  }
}

/** Whether the passive slot reads back as the manifest says: each part is read once it is on the disk. */
async function fillSlot(writing: Writing, fill: (write: Write) => Promise<void>): Promise<boolean> {
  const { slots, plan, progress } = writing;
  await using writer = await slots.openPassive();
  let isWritten = false;
  const check = holds(
    {
      ...writing,
      // A person is told of one thing after the other.
      progress: (...event) => {
        if (isWritten) progress(...event);
      },
    },
    plan.slot,
    (end) => writer.untilSynced(end),
  );
  // When filling fails, so does this, and that is not what matters then.
  check.catch(() => {});
  await fill((chunk) => writer.write(chunk));
  isWritten = true;
  await writer.sync();
  return check;
}

/** Reads the slot back from the disk. */
async function holds(
  { slots, plan, manifest, progress, signal }: Writing,
  slot: SlotName,
  until?: (end: number) => Promise<void>,
): Promise<boolean> {
  const { sha256 } = manifest.root.unpacked ?? manifest.root;
  const hash = createHash("sha256");
  let done = 0;
  for await (const chunk of slots.read(slot, plan.rootBytes, until)) {
    signal.throwIfAborted();
    hash.update(chunk);
    done += chunk.byteLength;
    progress("verify", done, plan.rootBytes);
  }
  return hash.digest("hex") === sha256;
}

function fetchOptions(
  { source, partials, clock, random, signal, progress, note }: Writing,
  about: { readonly phase: Phase; readonly file: SignedFile; readonly fetched: Fetched },
): FetchOptions {
  let last = 0;
  return {
    source,
    ...(source.isLocal ? {} : { partials }),
    clock,
    random,
    signal,
    note,
    resumed: () => void (about.fetched.resumed = true),
    progress: (bytes, fetched) => {
      about.fetched.bytes += fetched - last;
      last = fetched;
      progress(about.phase, bytes, about.file.size);
    },
  };
}

async function* inChunks(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 1 << 20) yield bytes.subarray(at, at + (1 << 20));
}
