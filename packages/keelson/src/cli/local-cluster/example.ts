// The example that `keel up` starts: its image made here, its unit handed in, its addresses.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buildHelloImage, helloImage } from "../../../../../examples/hello/image.ts";
import type { OperationView } from "../../api/wire/operation.ts";
import type { DaemonClient } from "../daemon/client.ts";

export const exampleUnit = "hello@.container";

/** Builds the image and loads it, unless the cluster has it. */
export async function loadExampleImage(client: DaemonClient, busybox: string): Promise<"loaded" | "there"> {
  if ((await client.images.list()).some((image) => image.name === helloImage)) return "there";
  const archive = await buildHelloImage(busybox);
  await client.images.load(Readable.from([archive]), archive.byteLength);
  return "loaded";
}

/** Hands the unit in and asks for it to run. */
export async function startExample(
  client: DaemonClient,
  repository: string,
  who: string,
): Promise<OperationView> {
  const body = await readFile(join(repository, "examples/hello", exampleUnit), "base64");
  return client.operate({
    intent: { kind: "submit", files: [{ name: exampleUnit, body }], desired: "launched", replace: false },
    who,
    via: "cli",
  });
}

/** The checkout that this program runs from; undefined when it runs from a bundle. */
export function repositoryFolder(): string | undefined {
  const folder = join(import.meta.dirname, "../../../../..");
  return existsSync(join(folder, "os/packages.txt")) ? folder : undefined;
}
