// The image that tests boot: built once, then from the cache. Its disk is never written to: machines have overlays.
import { resolve } from "node:path";
import { buildImage } from "../../../packages/keelson/src/image/build-image.ts";
import type { BuiltImage } from "../../../packages/keelson/src/image/build-image.ts";
import { silentProgress } from "../../../packages/keelson/src/local/progress.ts";

const repository = resolve(import.meta.dirname, "../../..");

/** The image for virtual machines. */
export function testImage(): Promise<BuiltImage> {
  return buildImage({ repository, variant: "vm", version: "0.1.0", progress: silentProgress });
}
