// The records of image archives.
import { KeelError } from "../base/errors.ts";
import { imageCodec } from "../model/image.ts";
import type { Image } from "../model/image.ts";
import { keys, prefixes } from "../model/keys.ts";
import { prefixEnd } from "./store-client.ts";
import type { CallOptions, Compare, StoreClient, StoredValue } from "./store-client.ts";

/** Writes an image's record; holders of the same archive are kept beside the new ones. Returns the revision. */
export async function putImage(
  client: StoreClient,
  image: Image,
  options: CallOptions = {},
): Promise<number> {
  const key = keys.image(image.name);
  for (let attempt = 0; attempt < 5; attempt++) {
    const stored = (await client.getAll([key], options)).values[0];
    const known = stored && imageCodec.decode(key, stored.value);
    const others = known?.archive === image.archive ? known.holders : [];
    const merged: Image = { ...image, holders: [...new Set([...image.holders, ...others])] };
    const compare: Compare[] = [{ key, target: "mod", is: "=", revision: stored?.modRevision ?? 0 }];
    const answer = await client.txn(
      { compare, write: [{ put: key, value: imageCodec.encode(merged) }] },
      options,
    );
    if (answer.succeeded) return answer.revision;
  }
  throw new KeelError("KEEL-403", `the image ${image.name} is being changed by others`);
}

/** Takes an image's record away. Rejects with KEEL-508 when there is none. Returns the revision. */
export async function deleteImage(
  client: StoreClient,
  name: string,
  options: CallOptions = {},
): Promise<number> {
  const key = keys.image(name);
  const answer = await client.txn(
    { compare: [{ key, target: "create", is: "!=", revision: 0 }], write: [{ delete: key }] },
    options,
  );
  if (!answer.succeeded) throw new KeelError("KEEL-508", `no image ${name}`);
  return answer.revision;
}

/** All images, straight from the store. Records that cannot be read are left out. */
export async function listImages(client: StoreClient, options: CallOptions = {}): Promise<Image[]> {
  const request = { key: prefixes.images, end: prefixEnd(prefixes.images) };
  const { values } = await client.range(request, options);
  return values.flatMap(readImage);
}

/** Those of these images that the cluster has, by their full names. */
export async function findImages(
  client: StoreClient,
  names: readonly string[],
  options: CallOptions = {},
): Promise<Image[]> {
  const { values } = await client.getAll(
    names.slice(0, 128).map((name) => keys.image(name)),
    options,
  );
  return values.flatMap(readImage);
}

function readImage({ key, value }: StoredValue): Image[] {
  try {
    return [imageCodec.decode(key, value)];
  } catch {
    return [];
  }
}
