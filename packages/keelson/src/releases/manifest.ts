// What a release is, in the words that its signature covers. One manifest names every file of one version, variant
// and architecture; nothing that it does not name is ever written to a machine.
import * as z from "zod/mini";
import { variants } from "../model/os-image.ts";

const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const bytes = z.int().check(z.gte(1), z.lte(4 * 2 ** 30));
const fileName = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,200}$/));
const version = z.string().check(z.regex(/^\d{1,9}\.\d{1,9}\.\d{1,9}$/));

/** A file as it is downloaded, and as it is once it is unpacked. */
const file = z.strictObject({
  name: fileName,
  size: bytes,
  sha256,
  /** Of a file that travels compressed by zstd: what comes out of it. */
  unpacked: z.optional(z.strictObject({ size: bytes, sha256 })),
});

export const releaseManifest = z.strictObject({
  schema: z.literal(1),
  product: z.literal("keelson-os"),
  version,
  /** Raised when older releases must never be installed again; machines refuse lower ones. */
  epoch: z.int().check(z.gte(0), z.lte(1_000_000)),
  variant: z.enum(variants),
  architecture: z.enum(["amd64", "arm64"]),
  /** Seconds since 1970. Made then; not to be installed after. */
  created: z.int().check(z.gte(0)),
  expires: z.int().check(z.gte(0)),
  /** Versions older than this must go over another first. */
  from: z.optional(version),
  notes: z.optional(z.string().check(z.maxLength(4000))),
  root: z.extend(file, {
    /** dm-verity's root hash, and the erofs's UUID, as on the kernel's command line. */
    verity: sha256,
    uuid: z.string().check(z.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)),
  }),
  kernel: file,
  sbom: z.optional(file),
});

export type ReleaseManifest = z.infer<typeof releaseManifest>;
export type ReleaseFile = z.infer<typeof file>;
