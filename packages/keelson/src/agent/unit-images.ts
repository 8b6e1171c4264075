// The images that the cluster hands out itself. An image that is on the machine already is never looked for
// anywhere, and one that the cluster does not have is podman's business.
import type { Host } from "../host/host.ts";
import type { Image } from "../model/image.ts";
import { findImages, listImages } from "../registry/images.ts";
import type { StoreClient } from "../registry/store-client.ts";
import type { UnitFileFacts } from "./unit-file-facts.ts";

export interface ProvidedImages {
  /** Those of the unit's images that the cluster has: they are on this machine now. */
  readonly names: readonly string[];
  /** Whether one had to be fetched. */
  readonly fetched: boolean;
}

/**
 * Makes sure that each image of the unit that the cluster has is on this machine, in the cluster's version.
 * Rejects with KEEL-107 when one cannot be had.
 */
export async function provideImages(
  { host, store }: { readonly host: Host; readonly store: StoreClient },
  { file, body }: { readonly file: UnitFileFacts; readonly body: string },
  signal: AbortSignal,
): Promise<ProvidedImages> {
  const wanted = await wantedImages(store, file, { body, signal });
  let fetched = false;
  for (const image of wanted) {
    if ((await host.imageId(image.name)) === image.imageId) continue;
    const urls = image.holders.map((holder) => `${holder}/v1/archives/${image.archive}`);
    await host.loadImage({ sha256: image.archive, bytes: image.bytes, urls }, signal);
    fetched = true;
  }
  return { names: wanted.map(({ name }) => name), fetched };
}

async function wantedImages(
  store: StoreClient,
  file: UnitFileFacts,
  { body, signal }: { readonly body: string; readonly signal: AbortSignal },
): Promise<readonly Image[]> {
  if (file.images.length > 0) return findImages(store, file.images, { signal });
  if (!file.mentionsContainers) return [];
  const words = new Set(body.split(/[\s"']+/));
  return (await listImages(store, { signal })).filter(({ name }) => {
    return words.has(name) || (name.endsWith(":latest") && words.has(name.slice(0, -":latest".length)));
  });
}
