import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildHelloImage } from "../../examples/hello/image.ts";
import type { Cluster } from "./cluster.ts";
import { machineTree } from "./machines.ts";

/** Puts the example's image on a cluster that is up, as localhost/hello:latest; its archive is left in the folder. */
export async function loadHelloImage(cluster: Cluster, folder: string): Promise<void> {
  const { busybox } = await machineTree({ keeld: true });
  const archive = join(folder, "hello.tar");
  await writeFile(archive, await buildHelloImage(busybox));
  await cluster.keel(["image", "load", archive]);
}
