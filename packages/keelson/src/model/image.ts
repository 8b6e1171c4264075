import * as z from "zod/mini";
import { recordCodec } from "./record.ts";
import { sha256Pattern } from "./unit.ts";

/** `images/<name>`: an image archive that the cluster itself hands to its machines. */
export const imageCodec = recordCodec(
  "image",
  z.object({
    /** The full name by which units refer to it: `localhost/hello:latest`. */
    name: z.string(),
    /** SHA-256 of the archive. */
    archive: z.string().check(z.regex(sha256Pattern)),
    /** Digest of the image's configuration: podman's image id. */
    imageId: z.string().check(z.regex(sha256Pattern)),
    bytes: z.number(),
    /** `http://address:port` of every daemon that serves the archive as /v1/archives/<sha256>. */
    holders: z.array(z.string()),
    loaded: z.number(),
  }),
);
export type Image = ReturnType<typeof imageCodec.decode>;
