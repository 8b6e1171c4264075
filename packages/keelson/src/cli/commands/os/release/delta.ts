import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, open, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Option } from "commander";
import { KeelError } from "../../../../base/errors.ts";
import { formatBytes } from "../../../../local/progress.ts";
import { deltaFileName } from "../../../../model/os-image.ts";
import { applyDelta } from "../../../../releases/apply-delta.ts";
import { makeDelta } from "../../../../releases/make-delta.ts";
import type { DeltaSummary } from "../../../../releases/make-delta.ts";
import type { ReleaseManifest } from "../../../../releases/manifest.ts";
import { readManifest, releaseEnvelope } from "../../../../releases/release.ts";
import type { Invocation, Register } from "../../../invocation.ts";
import { readDocument, writeDocument } from "./document-file.ts";
import { openImage, unpackImage } from "./image-file.ts";
import { wholeNumber } from "./numbers.ts";

interface DeltaOptions {
  readonly level?: string;
}

export const registerDelta: Register = (release, act) => {
  const delta = release
    .command("delta")
    .argument("<old>", "the manifest of the release to start from")
    .argument("<new>", "the manifest of the release to make, not signed yet: it gets the delta’s name")
    .addOption(new Option("--level <number>", "zstd’s, 1 to 22 (19)"))
    .description("Make a delta between two releases, prove it, and name it in the new one’s manifest.");
  act<DeltaOptions>(delta, async (keel, [oldWord = "", newWord = ""], options) => {
    const level = wholeNumber(options.level, "--level") ?? 19;
    if (level < 1 || level > 22) throw new KeelError("KEEL-104", `--level ${level}: 1 to 22`);
    const files = [oldWord, newWord].map((word) => resolve(keel.terminal.cwd, word));
    const [oldFile = "", newFile = ""] = files;
    const base = readManifest(await readDocument(oldFile, "release"));
    const envelope = await readDocument(newFile, "release");
    if (envelope.signatures.length > 0)
      throw new KeelError("KEEL-834", `${newFile} is signed already: deltas are named before that`);
    const result = readManifest(envelope);
    if (
      base.variant !== result.variant ||
      base.architecture !== result.architecture ||
      base.version === result.version
    )
      throw new KeelError("KEEL-832", "the releases are not two versions of one variant and architecture");
    const folder = await mkdtemp(join(dirname(newFile), ".delta-"));
    try {
      const old = join(folder, "old");
      const fresh = join(folder, "new");
      await unpackImage(
        { from: join(dirname(oldFile), base.root.name), to: old, file: base.root },
        keel.signal,
      );
      await unpackImage(
        { from: join(dirname(newFile), result.root.name), to: fresh, file: result.root },
        keel.signal,
      );
      const made = await make(keel, { old, fresh, to: join(folder, "delta"), level });
      await prove({ old, delta: join(folder, "delta"), signal: keel.signal }, made.summary);
      if (made.size > result.root.size) {
        const message = `the delta (${formatBytes(made.size)}) is larger than the image`;
        throw new KeelError("KEEL-832", message, { hint: "machines of that version take the whole image" });
      }
      const name = deltaFileName(base.version, result);
      await rename(join(folder, "delta"), join(dirname(newFile), name));
      await writeDocument(newFile, releaseEnvelope(withDelta(result, { name, from: base, ...made })));
      const { steps, copiedBlocks, patchedBlocks } = made.summary;
      const share = ((100 * made.size) / result.root.size).toFixed(1);
      keel.output.document(
        { path: name, bytes: made.size, of: result.root.size, steps, copiedBlocks, patchedBlocks },
        () =>
          `${name}: ${formatBytes(made.size)}, ${share} % of the image; proven, and named in the manifest\n`,
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
};

interface Made {
  readonly size: number;
  readonly sha256: string;
  readonly summary: DeltaSummary;
}

async function make(
  keel: Invocation,
  {
    old,
    fresh,
    to,
    level,
  }: { readonly old: string; readonly fresh: string; readonly to: string; readonly level: number },
): Promise<Made> {
  await using base = await openImage(old);
  await using result = await openImage(fresh);
  await using file = await open(to, "wx");
  const hash = createHash("sha256");
  let size = 0;
  const summary = await makeDelta({
    base,
    result,
    level,
    signal: keel.signal,
    write: async (chunk) => {
      size += chunk.byteLength;
      hash.update(chunk);
      await file.writeFile(chunk);
    },
  });
  await file.sync();
  return { size, sha256: hash.digest("hex"), summary };
}

/** Applies it once, as machines will. */
async function prove(
  { old, delta, signal }: { readonly old: string; readonly delta: string; readonly signal: AbortSignal },
  { head }: DeltaSummary,
): Promise<void> {
  await using base = await openImage(old);
  await applyDelta({ base, delta: createReadStream(delta), expected: head, write: async () => {}, signal });
}

function withDelta(
  manifest: ReleaseManifest,
  { name, from, size, sha256, summary }: Made & { readonly name: string; readonly from: ReleaseManifest },
): ReleaseManifest {
  const others = (manifest.deltas ?? []).filter((delta) => delta.from !== from.version);
  const delta = { from: from.version, name, size, sha256, base: { ...summary.head.base } };
  return { ...manifest, deltas: [...others, delta] };
}
