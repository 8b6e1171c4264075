import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { livePath, statePaths } from "../../model/os-image.ts";
import { dmiFields } from "./source.ts";
import type { DmiField, Facts } from "./source.ts";

/** What the kernel and the firmware tell about this machine. `root` is put before every path. */
export async function readFacts(
  environment: Readonly<Record<string, string | undefined>>,
  root = "/",
): Promise<Facts> {
  const text = (path: string): Promise<string> =>
    readFile(join(root, path), "utf8").then(
      (content) => content.trim().slice(0, 8192),
      () => "",
    );
  const dmi: Partial<Record<DmiField, string>> = {};
  for (const field of dmiFields) {
    const value = await text(`sys/class/dmi/id/${field}`);
    if (value !== "") dmi[field] = value;
  }
  return {
    dmi,
    commandLine: await text("proc/cmdline"),
    credentials: environment["CREDENTIALS_DIRECTORY"],
    firmwareFiles: join(root, "sys/firmware/qemu_fw_cfg/by_name"),
    diskLabels: join(root, "dev/disk/by-label"),
    // What a medium brings for the machine that it installs is not meant for itself.
    seeds: [
      ...(existsSync(join(root, livePath, "install")) ? [] : [join(root, livePath, "user-data")]),
      join(root, statePaths.seed),
    ],
  };
}

/** The firmware's number of the machine; undefined for one that many machines have. */
export function machineNumber({ dmi }: Facts): string | undefined {
  const uuid = dmi.product_uuid?.toLowerCase();
  if (uuid === undefined || !/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) return undefined;
  return /^(.)\1*$/.test(uuid.replaceAll("-", "")) ? undefined : uuid;
}
