import { createHash } from "node:crypto";
import type { Random } from "../../base/random.ts";
import { bootEntryName } from "../../model/os-image.ts";
import { readErofsUuid } from "../disk-slots/erofs.ts";
import { SimulatedDisk } from "./simulated-disk.ts";
import { makeKernel, makeRootImage } from "./simulated-kernel.ts";

export interface SimulatedRelease {
  readonly version: string;
  readonly image: Uint8Array<ArrayBuffer>;
  readonly kernel: Uint8Array;
  readonly uuid: string;
}

/** A root image and the kernel that starts it. */
export function simulatedRelease(version: string, bytes: number): SimulatedRelease {
  return releaseOf(version, makeRootImage(version, bytes));
}

/** The kernel that starts an image. */
export function releaseOf(version: string, image: Uint8Array<ArrayBuffer>): SimulatedRelease {
  const uuid = readErofsUuid(image) ?? "";
  const sha256 = createHash("sha256").update(image).digest("hex");
  return { version, image, uuid, kernel: makeKernel({ version, uuid, sha256, bytes: image.byteLength }) };
}

/** A machine that runs a blessed release from slot A, with nothing in slot B. */
export async function simulatedMachine(
  release: SimulatedRelease,
  options: { readonly random: Random; readonly slotBytes?: number; readonly espBytes?: number },
): Promise<SimulatedDisk> {
  const { random, slotBytes = 2 << 20, espBytes = 1 << 20 } = options;
  const disk = new SimulatedDisk({ random, slotBytes, espBytes });
  disk.slots.a.set(release.image);
  disk.files.set(bootEntryName({ version: release.version }), release.kernel);
  await disk.start();
  return disk;
}
