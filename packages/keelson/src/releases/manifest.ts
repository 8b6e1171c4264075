// What a release is, in the words that its signature covers. One manifest names every file of one version, variant
// and architecture; nothing that it does not name is ever written to a machine.
import * as z from "zod/mini";
import { deltaFileName, releaseFileName, slotBytes, variants } from "../model/os-image.ts";
import { epoch, moment, productName, sha256, version } from "./words.ts";

const bytes = z.int().check(z.gte(1), z.lte(4 * 2 ** 30));
const fileName = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,200}$/));

/** A file as it is downloaded, and as it is once it is unpacked. */
const file = z.strictObject({
  name: fileName,
  size: bytes,
  sha256,
  /** Of a file that travels compressed by zstd: what comes out of it. */
  unpacked: z.optional(z.strictObject({ size: bytes.check(z.lte(slotBytes)), sha256 })),
});

/** Makes this release's root image from another version's. Never larger than the whole image as it travels. */
const delta = z.strictObject({
  from: version,
  name: fileName,
  size: bytes,
  sha256,
  /** The unpacked root image that it starts from. */
  base: z.strictObject({ size: bytes.check(z.lte(slotBytes)), sha256 }),
});

export const releaseManifest = z
  .strictObject({
    schema: z.literal(1),
    product: productName,
    version,
    /** Raised when older releases must never be installed again; machines refuse lower ones. */
    epoch,
    variant: z.enum(variants),
    architecture: z.enum(["amd64", "arm64"]),
    /** Seconds since 1970. Made then; not to be installed after. */
    created: moment,
    expires: moment,
    /** Versions older than this must go over another first. */
    from: z.optional(version),
    /** Plain text: no control characters but the newline, and none that turn the direction of writing. */
    notes: z.optional(z.string().check(z.maxLength(4000), z.regex(/^(?:\n|[^\p{Cc}\p{Cf}\p{Cs}])*$/u))),
    root: z.extend(file, {
      /** dm-verity's root hash, and the erofs's UUID, as on the kernel's command line. */
      verity: sha256,
      uuid: z.string().check(z.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)),
    }),
    kernel: file,
    sbom: z.optional(file),
    deltas: z.optional(z.array(delta).check(z.minLength(1), z.maxLength(16))),
  })
  .check(
    z.refine((release) => release.expires > release.created, "it expires before it was made"),
    z.refine(hasItsNames, "files are not named for the release"),
    z.refine(
      ({ root, deltas }) => (deltas ?? []).every(({ size }) => size <= root.size),
      "a delta is larger",
    ),
  );

export type ReleaseManifest = z.infer<typeof releaseManifest>;
export type ReleaseFile = z.infer<typeof file>;
export type ReleaseDelta = z.infer<typeof delta>;

/** The files of a release as they are downloaded, the manifest excepted. */
export function releaseFiles({
  root,
  kernel,
  sbom,
  deltas,
}: Pick<ReleaseManifest, "root" | "kernel" | "sbom" | "deltas">): readonly Pick<
  ReleaseFile,
  "name" | "size" | "sha256"
>[] {
  return [root, kernel, ...(sbom === undefined ? [] : [sbom]), ...(deltas ?? [])];
}

interface NamedFiles {
  readonly version: string;
  readonly variant: (typeof variants)[number];
  readonly architecture: string;
  readonly root: { readonly name: string };
  readonly kernel: { readonly name: string };
  readonly sbom?: { readonly name: string } | undefined;
  readonly deltas?: readonly { readonly from: string; readonly name: string }[] | undefined;
}

function hasItsNames(release: NamedFiles): boolean {
  const { root, kernel, sbom, deltas = [] } = release;
  return (
    root.name === releaseFileName(release, "root.zst") &&
    kernel.name === releaseFileName(release, "efi") &&
    (sbom === undefined || sbom.name === releaseFileName(release, "sbom.json")) &&
    deltas.every(({ from, name }) => name === deltaFileName(from, release)) &&
    new Set(deltas.map(({ from }) => from)).size === deltas.length
  );
}
