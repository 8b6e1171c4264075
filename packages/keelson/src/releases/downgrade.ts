// The leave to go back: names one older release that machines may install although they have had newer ones.
// Signed by the release role, so whoever only holds the online key cannot send machines back.
import * as z from "zod/mini";
import { parseCanonical, stringifyCanonical } from "./canonical-json.ts";
import { documentKinds, readEnvelope } from "./envelope.ts";
import type { Envelope } from "./envelope.ts";
import type { Circumstances } from "./machine.ts";
import { judge, refuse } from "./refusal.ts";
import type { Verdict } from "./refusal.ts";
import { checkRole, checkRootAge, clockSlack } from "./root.ts";
import { checkTarget } from "./target.ts";
import { epoch, moment, momentText, productName, sha256, version } from "./words.ts";
import { variants } from "../model/os-image.ts";

const downgradeShape = z
  .strictObject({
    schema: z.literal(1),
    product: productName,
    variant: z.enum(variants),
    architecture: z.enum(["amd64", "arm64"]),
    /** The release to go to, by its manifest's payload. */
    to: z.strictObject({ version, epoch, manifest: sha256 }),
    reason: z.string().check(z.regex(/^[\x20-\x7e]{1,300}$/)),
    created: moment,
    expires: moment,
  })
  .check(z.refine(({ created, expires }) => expires > created, "it expires before it was made"));

export type Downgrade = z.infer<typeof downgradeShape>;

/** Only {@link verifyDowngrade} makes one. */
export interface DowngradeFacts {
  readonly downgrade: Downgrade;
  readonly signers: readonly string[];
}

export function downgradeEnvelope(downgrade: Downgrade): Envelope {
  return { kind: "downgrade", payload: stringifyCanonical(downgrade), signatures: [] };
}

/** Reads the payload without looking at signatures. Throws KEEL-821. */
export function readDowngrade({ payload }: Envelope): Downgrade {
  return parseCanonical(payload, {
    shape: downgradeShape,
    what: "the leave to go back",
    limit: documentKinds.downgrade.limit,
  });
}

/** Refuses with KEEL-821 (form), 822 (signatures), 823 (expired), 827 (for other machines), 835 (from the future). */
export function verifyDowngrade(
  bytes: Uint8Array,
  about: Omit<Circumstances, "downgrade">,
): Verdict<DowngradeFacts> {
  return judge(() => {
    const { trust, now } = about;
    checkRootAge(trust, now);
    const envelope = readEnvelope(bytes, "downgrade");
    const signers = checkRole(envelope, trust, "release");
    const downgrade = readDowngrade(envelope);
    checkTarget(downgrade, about);
    if (now >= downgrade.expires)
      refuse("KEEL-823", `the leave to go back expired ${momentText(downgrade.expires)}`);
    if (downgrade.created > now + clockSlack)
      refuse(
        "KEEL-835",
        `the leave to go back was made ${momentText(downgrade.created)}; this clock is behind`,
      );
    return { downgrade, signers };
  });
}

/** Whether the leave is for this release and no other. */
export function allowsDowngrade(
  leave: DowngradeFacts | undefined,
  release: { readonly version: string; readonly epoch: number; readonly manifest: string },
): boolean {
  if (leave === undefined) return false;
  const { to } = leave.downgrade;
  return to.version === release.version && to.epoch === release.epoch && to.manifest === release.manifest;
}
