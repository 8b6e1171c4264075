// What an image archive holds: the names of its images and the digests of their configurations.
// Sources: the docker-archive's manifest.json, and the OCI image layout and image specifications 1.1.
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import * as z from "zod/mini";
import { KeelError } from "../../base/errors.ts";
import { archiveName, ociName } from "./image-name.ts";
import { damaged, readMember, tarMembers } from "./tar.ts";
import type { TarMember } from "./tar.ts";

export interface ArchivedImage {
  /** The full name by which units refer to it: `localhost/hello:latest`. */
  readonly name: string;
  /** SHA-256 of its configuration: podman's image id. */
  readonly imageId: string;
}

const maxJsonBytes = 4 << 20;
const maxImages = 64;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

const dockerManifest = z.array(
  z.object({ Config: z.string(), RepoTags: z.optional(z.nullable(z.array(z.string()))) }),
);
const descriptor = z.object({
  digest: z.string().check(z.regex(digestPattern)),
  mediaType: z.optional(z.string()),
  platform: z.optional(z.object({ architecture: z.string(), os: z.string() })),
  annotations: z.optional(z.nullable(z.record(z.string(), z.string()))),
});
type Descriptor = z.infer<typeof descriptor>;
const ociIndex = z.object({ manifests: z.array(descriptor) });
const ociManifest = z.object({ config: descriptor });

/** Reads an archive of podman or docker. Throws KEEL-107 for anything else, and for an archive without names. */
export async function readImageArchive(
  file: FileHandle,
  bytes: number,
  architecture: string,
): Promise<ArchivedImage[]> {
  await refuseCompressed(file);
  const members = new Map<string, TarMember>();
  for await (const member of tarMembers(file, bytes)) if (member.isFile) members.set(member.name, member);
  const archive = new Archive(file, members);
  const images = members.has("manifest.json")
    ? await dockerImages(archive)
    : await ociImages(archive, architecture);
  if (images.length === 0) {
    throw new KeelError("KEEL-107", "the archive names no image", {
      hint: "Save it with its name: podman save -o FILE NAME",
    });
  }
  if (images.length > maxImages) throw damaged(`holds more than ${maxImages} images`);
  return images;
}

class Archive {
  readonly #file: FileHandle;
  readonly #members: ReadonlyMap<string, TarMember>;

  constructor(file: FileHandle, members: ReadonlyMap<string, TarMember>) {
    this.#file = file;
    this.#members = members;
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  bytes(name: string): Promise<Buffer> {
    const member = this.#members.get(name);
    if (!member) throw damaged(`lacks ${name.slice(0, 120)}`);
    return readMember(this.#file, member, maxJsonBytes);
  }

  async json<S extends z.ZodMiniType>(name: string, schema: S): Promise<z.infer<S>> {
    let json: unknown;
    try {
      json = JSON.parse((await this.bytes(name)).toString("utf8"));
    } catch (cause) {
      if (cause instanceof KeelError) throw cause;
      throw damaged(`has a ${name.slice(0, 120)} that is not JSON`);
    }
    const result = schema.safeParse(json);
    if (!result.success) throw damaged(`has a ${name.slice(0, 120)} of another form than expected`);
    return result.data;
  }

  /** A blob of an OCI layout, checked against its digest. */
  async blob<S extends z.ZodMiniType>(digest: string, schema: S): Promise<z.infer<S>> {
    const name = blobPath(digest);
    if (sha256(await this.bytes(name)) !== digest.slice("sha256:".length))
      throw damaged(`is damaged: ${name} has another digest`);
    return this.json(name, schema);
  }
}

async function dockerImages(archive: Archive): Promise<ArchivedImage[]> {
  const images: ArchivedImage[] = [];
  for (const { Config, RepoTags } of await archive.json("manifest.json", dockerManifest)) {
    const imageId = sha256(await archive.bytes(Config));
    const promised = /([0-9a-f]{64})(?:\.json)?$/.exec(Config)?.[1];
    if (promised !== undefined && promised !== imageId)
      throw damaged(`is damaged: ${Config.slice(0, 120)} has another digest`);
    for (const tag of RepoTags ?? []) images.push({ name: archiveName(tag), imageId });
  }
  return images;
}

async function ociImages(archive: Archive, architecture: string): Promise<ArchivedImage[]> {
  if (!archive.has("index.json"))
    throw damaged("is no image archive: it has neither manifest.json nor index.json");
  const { manifests } = await archive.json("index.json", ociIndex);
  const images: ArchivedImage[] = [];
  for (const entry of manifests.slice(0, maxImages + 1)) {
    const name = ociName(entry.annotations ?? {});
    if (name !== undefined) images.push({ name, imageId: await configOf(archive, entry, architecture, 0) });
  }
  return images;
}

/** The configuration's digest; of an index of several platforms, this machine's. */
async function configOf(
  archive: Archive,
  entry: Descriptor,
  architecture: string,
  depth: number,
): Promise<string> {
  if (depth > 3) throw damaged("nests its indexes too deep");
  if (!/image\.index|manifest\.list/.test(entry.mediaType ?? "")) {
    const { config } = await archive.blob(entry.digest, ociManifest);
    return config.digest.slice("sha256:".length);
  }
  const { manifests } = await archive.blob(entry.digest, ociIndex);
  const present = manifests.filter(({ digest }) => archive.has(blobPath(digest)));
  const fitting = present.find(({ platform }) => platform?.architecture === architecture) ?? present[0];
  if (!fitting) throw damaged("holds no image for this machine");
  return configOf(archive, fitting, architecture, depth + 1);
}

async function refuseCompressed(file: FileHandle): Promise<void> {
  const start = Buffer.alloc(6);
  await file.read(start, 0, start.length, 0);
  const known = compressions.find(({ magic }) => start.subarray(0, magic.length).equals(magic));
  if (!known) return;
  throw new KeelError("KEEL-107", `the archive is compressed with ${known.name}`, {
    hint: `Unpack it first: ${known.command} < FILE > FILE.tar`,
  });
}

const compressions = [
  { name: "gzip", magic: Buffer.from([0x1f, 0x8b]), command: "gzip -dc" },
  { name: "zstd", magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), command: "zstd -dc" },
  { name: "xz", magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a]), command: "xz -dc" },
  { name: "bzip2", magic: Buffer.from("BZh"), command: "bzip2 -dc" },
];

const blobPath = (digest: string): string => `blobs/${digest.replace(":", "/")}`;
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
