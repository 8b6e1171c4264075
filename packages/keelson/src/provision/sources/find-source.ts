// Which source this machine has: the first that is there and has something, in a fixed order. Local ones go first:
// whoever gave a machine a disk or a credential means this machine, and a cloud may be a network that lies.
import { azure } from "./azure.ts";
import { ec2 } from "./ec2.ts";
import { gce } from "./gce.ts";
import { configDrive, credential, firmwareFile, noCloud, seed } from "./local-sources.ts";
import { openStack } from "./openstack.ts";
import type { Asking, Gathered, Source } from "./source.ts";
import { commandLineUrl } from "./url.ts";

export const sources: readonly Source[] = [
  credential,
  firmwareFile,
  noCloud,
  configDrive,
  seed,
  commandLineUrl,
  ec2,
  gce,
  openStack,
  azure,
];

/** `local` asks only what needs no network. Rejects with KEEL-842 when a source that is there fails. */
export async function findSource(asking: Asking, stage: "local" | "network"): Promise<Gathered | undefined> {
  for (const source of sources) {
    if (stage === "local" && !source.isLocal) continue;
    if (!source.isThere(asking.facts)) continue;
    const found = await source.read(asking);
    if (found !== undefined) return found;
  }
  return undefined;
}
