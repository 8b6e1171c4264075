// What this machine believes: the root that its verified image ships, those that followed it, and what it has seen.
import { mkdir, open, readdir, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { KeelError, describeError } from "../base/errors.ts";
import { readIfThere } from "../host/atomic-file.ts";
import { variants } from "../model/os-image.ts";
import {
  emptyMemory,
  encodeMemory,
  parseMemory,
  rememberRelease,
  rootFileName,
  trustPaths,
} from "../releases/machine.ts";
import type { Circumstances, MachineFacts, Memory } from "../releases/machine.ts";
import { documentKinds } from "../releases/envelope.ts";
import { accepted } from "../releases/refusal.ts";
import { followRoots, verifyRoot } from "../releases/root.ts";
import { diskError } from "./disk-slots/block-file.ts";
import type { ReleaseSource } from "./sources/release-source.ts";

export interface TrustFiles {
  readonly shipped: string;
  readonly folder: string;
  readonly memory: string;
  readonly osRelease: string;
}

export const trustFiles: TrustFiles = { ...trustPaths, osRelease: "/usr/lib/os-release" };

/** Roots that are fetched in one go, and those that are read from the folder. */
const mostRoots = 100;

export type Trust = Omit<Circumstances, "now" | "downgrade">;

/** Throws KEEL-805 when there is no root that can be believed. */
export async function loadTrust(
  running: { readonly version: string; readonly variant: string },
  files: TrustFiles,
  now: number,
): Promise<Trust> {
  const shipped = await readFile(files.shipped).catch((error: unknown) => {
    throw new KeelError("KEEL-805", `${files.shipped} cannot be read: ${describeError(error)}`, {
      cause: error,
    });
  });
  const chain = followRoots(shipped, await laterRoots(files.folder), now);
  if (!chain.accepted) throw new KeelError("KEEL-805", `${files.shipped}: ${chain.refusal.reason}`);
  return {
    trust: chain.facts.root,
    machine: await machineFacts(running, files),
    memory: await readMemory(files),
  };
}

/** Fetches the roots that follow, one by one, and keeps those that may. Returns the trust that results. */
export async function learnRoots(
  trust: Trust,
  source: ReleaseSource,
  about: { readonly files: TrustFiles; readonly now: number; readonly signal: AbortSignal },
): Promise<Trust> {
  let { trust: root } = trust;
  for (let count = 0; count < mostRoots; count++) {
    const name = rootFileName(root.version + 1);
    const bytes = await source.document(name, documentKinds.root.limit, about.signal);
    if (bytes === undefined) break;
    root = accepted(verifyRoot(bytes, { trust: root, now: about.now }));
    await writeDurably(join(about.files.folder, name), bytes);
  }
  return { ...trust, trust: root };
}

/** To be called on a version that was blessed: nothing older is installed from then on without a leave. */
export async function rememberRunning(trust: Trust, files: TrustFiles): Promise<Trust> {
  const memory = rememberRelease(trust.memory, trust.machine);
  if (memory !== trust.memory) await keepMemory(memory, files);
  return { ...trust, memory };
}

/** Resolves when it is on the disk. */
export async function keepMemory(memory: Memory, files: TrustFiles): Promise<void> {
  await writeDurably(files.memory, encodeMemory(memory));
}

async function readMemory(files: TrustFiles): Promise<Memory> {
  const text = await readIfThere(files.memory);
  if (text === undefined) return emptyMemory;
  const memory = parseMemory(Buffer.from(text));
  // A power cut never leaves a part of it, so somebody else did: what was seen is forgotten, the roots still count.
  return memory.accepted ? memory.facts : emptyMemory;
}

async function laterRoots(folder: string): Promise<readonly Uint8Array[]> {
  const names = await readdir(folder).catch(() => []);
  const numbers = names
    .flatMap((name) => /^root\.(\d{1,6})\.json$/.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b)
    .slice(0, 10 * mostRoots);
  const found: Uint8Array[] = [];
  for (const number of numbers) {
    const bytes = await readFile(join(folder, rootFileName(number)));
    if (bytes.byteLength <= documentKinds.root.limit) found.push(bytes);
  }
  return found;
}

async function machineFacts(
  { version, variant }: { readonly version: string; readonly variant: string },
  files: TrustFiles,
): Promise<MachineFacts> {
  const known = variants.find((one) => one === variant);
  const text = (await readIfThere(files.osRelease)) ?? "";
  const epoch = /^KEELSON_EPOCH=["']?(\d{1,7})["']?$/m.exec(text)?.[1];
  if (known === undefined || epoch === undefined)
    throw new KeelError(
      "KEEL-801",
      `${files.osRelease} and the kernel's command line do not name variant and epoch`,
    );
  const architecture = architectures[process.arch] ?? process.arch;
  return { product: "keelson-os", variant: known, architecture, version, epoch: Number(epoch) };
}

/** Node's names as Debian's. */
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    {
      await using file = await open(`${path}.new`, "w", 0o600);
      await file.writeFile(bytes);
      await file.sync();
    }
    await rename(`${path}.new`, path);
  } catch (error) {
    throw diskError(error, path);
  }
}
