// Deltas of root images: size, time to make, time and memory to apply. The result is compared byte by byte.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { BenchResult } from "./result.ts";

const images = "/var/cache/keelson/images/*/root.img";

/**
 * KEEL_DELTA_OLD and KEEL_DELTA_NEW name two root images, as delta/pair.ts makes them; else the two newest of `vm` that
 * were built here.
 */
export async function run(): Promise<BenchResult> {
  const built = globSync(images)
    .filter((path) => variantOf(path) === "vm")
    .toSorted((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs);
  const old = process.env["KEEL_DELTA_OLD"] ?? built.at(-2);
  const fresh = process.env["KEEL_DELTA_NEW"] ?? built.at(-1);
  if (old === undefined || fresh === undefined || !existsSync(old) || !existsSync(fresh))
    throw new Error("two root images are needed: keel os build twice, or KEEL_DELTA_OLD and KEEL_DELTA_NEW");
  const folder = await mkdtemp(join(tmpdir(), "keel-delta-"));
  try {
    const delta = join(folder, "delta");
    const make = step("make", [old, fresh, delta]);
    const apply = step("apply", [old, join(folder, "out"), delta]);
    const isSame = spawnSync("cmp", ["-s", join(folder, "out"), fresh]).status === 0;
    if (!isSame) throw new Error("the delta made another image");
    const packed = Number(
      execFileSync("sh", ["-c", 'zstd -3 -T0 -q -c "$1" | wc -c', "sh", fresh], { encoding: "utf8" }),
    );
    const bytes = statSync(delta).size;
    return {
      name: "delta",
      how: `from ${nameOf(old)} to ${nameOf(fresh)} (${Math.round(statSync(fresh).size / 1e6)} MB), once, by Node ${process.version}`,
      rows: [
        {
          what: "delta",
          value: bytes / 1e6,
          unit: "MB",
          reach: "at most 5 MB for one library",
          peer: packed / 1e6,
          peerName: "whole image, zstd -3",
          ratio: bytes / packed,
        },
        { what: "make", value: make.seconds, unit: "s" },
        { what: "apply, to a file", value: apply.seconds, unit: "s" },
        {
          what: "memory of applying that cannot be reclaimed",
          value: apply.anonymousBytes / 1e6,
          unit: "MB",
          reach: "at most 150 MB",
          note: "the whole Node process, most of it before the first byte",
        },
      ],
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The file and its folder: what a pair is of, or which build. */
function nameOf(path: string): string {
  return `${basename(dirname(path))}/${basename(path)}`;
}

function variantOf(root: string): unknown {
  const { variant } = JSON.parse(readFileSync(join(dirname(root), "image.json"), "utf8")) as Record<
    string,
    unknown
  >;
  return variant;
}

interface Step {
  readonly seconds: number;
  readonly anonymousBytes: number;
}

/** A process of its own, so that its memory is only what the step needs. */
function step(name: "make" | "apply", paths: readonly string[]): Step {
  const script = join(import.meta.dirname, "delta", "step.ts");
  return JSON.parse(execFileSync(process.execPath, [script, name, ...paths], { encoding: "utf8" })) as Step;
}
