// Tar archives and image archives for tests, written as tar(5) and the image formats say.
import { createHash } from "node:crypto";

export interface Member {
  readonly name: string;
  readonly content?: string | Uint8Array;
  readonly kind?: string;
  readonly prefix?: string;
  /** The size as base-256. */
  readonly binarySize?: boolean;
}

export const sha256 = (bytes: string | Uint8Array): string =>
  createHash("sha256").update(bytes).digest("hex");

export function tar(members: readonly Member[], { end = true } = {}): Buffer {
  const blocks = members.map((member) => {
    const content = Buffer.from((member.content ?? "") as string);
    return Buffer.concat([
      header(member, content.byteLength),
      content,
      Buffer.alloc((512 - (content.byteLength % 512)) % 512),
    ]);
  });
  return Buffer.concat([...blocks, Buffer.alloc(end ? 1024 : 0)]);
}

function header({ name, kind = "0", prefix = "", binarySize = false }: Member, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, 100, "utf8");
  block.write("0000644\0", 100);
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  if (binarySize) {
    block.fill(0, 124, 136);
    block[124] = 0x80;
    block.writeUInt32BE(size, 132);
  }
  block.write(kind, 156);
  block.write("ustar\0", 257);
  block.write("00", 263);
  block.write(prefix, 345);
  block.write("        ", 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

export function dockerArchive(tags: readonly string[] | null, config = '{"architecture":"amd64"}'): Buffer {
  const id = sha256(config);
  return tar([
    { name: `${id}.json`, content: config },
    { name: "layer.tar", content: "layer" },
    {
      name: "manifest.json",
      content: JSON.stringify([{ Config: `${id}.json`, RepoTags: tags, Layers: ["layer.tar"] }]),
    },
  ]);
}

export function ociArchive(
  annotations: Readonly<Record<string, string>>,
  config = '{"architecture":"amd64"}',
): Buffer {
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: { digest: `sha256:${sha256(config)}` },
    layers: [],
  });
  const entry = {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: `sha256:${sha256(manifest)}`,
    annotations,
  };
  return tar([
    { name: "./blobs", kind: "5" },
    { name: `./blobs/sha256/${sha256(config)}`, content: config },
    { name: `./blobs/sha256/${sha256(manifest)}`, content: manifest },
    { name: "./index.json", content: JSON.stringify({ schemaVersion: 2, manifests: [entry] }) },
    { name: "./oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
  ]);
}
