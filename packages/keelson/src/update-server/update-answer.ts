import type { OmahaUpdateAnswer } from "@keelson/omaha";
import type { UpdatePackage } from "../model/update-service.ts";

/** What belongs to an answer beyond the package. */
export interface Offer {
  /** The package is on the way to another version, and why it must not be jumped over. */
  readonly floorReason?: string;
  /** URL of our own payloads, without the slash at its end: packages that name no others come from there. */
  readonly payloads: string;
}

/** The answer that lets a client fetch and install a package, with all that update_engine needs. */
export function offerOf(offered: UpdatePackage, { floorReason, payloads }: Offer): OmahaUpdateAnswer {
  const { files, urls, version, postinstall } = offered;
  const [payload] = files;
  const { sha256, needsAdmin, isDelta, disablePayloadBackoff, maxFailuresPerUrl } = postinstall;
  const { displayVersion, moreInfo } = postinstall;
  const own = `${payloads}/${payload?.sha256 ?? ""}/`;
  return {
    status: "ok",
    urls: (urls.length === 0 ? [own] : urls).map((codebase) => ({ codebase })),
    manifests: [
      {
        version,
        ...(floorReason === undefined ? {} : { isFloor: true, floorReason }),
        packages: files.map(({ name, size, sha1, required, ...file }) => ({
          name,
          size,
          required,
          ...(sha1 === undefined ? {} : { hash: sha1 }),
          hashSha256: file.sha256,
        })),
        actions: [
          {
            event: "postinstall",
            sha256: sha256 ?? Buffer.from(payload?.sha256 ?? "", "hex").toString("base64"),
            disablePayloadBackoff,
            ...(needsAdmin === undefined ? {} : { needsAdmin }),
            ...(isDelta === undefined ? {} : { isDeltaPayload: isDelta }),
            ...(maxFailuresPerUrl === undefined ? {} : { maxFailureCountPerUrl: maxFailuresPerUrl }),
            ...(displayVersion === undefined ? {} : { displayVersion }),
            ...(moreInfo === undefined ? {} : { moreInfo }),
          },
        ],
      },
    ],
  };
}
