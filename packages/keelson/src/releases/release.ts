// Whether a machine may install a release. The one question of this folder that a byte on a disk depends on.
import { parseCanonical, stringifyCanonical } from "./canonical-json.ts";
import type { ChannelPointer } from "./channel.ts";
import { allowsDowngrade } from "./downgrade.ts";
import { documentKinds, payloadHash, readEnvelope } from "./envelope.ts";
import type { Envelope } from "./envelope.ts";
import { oldestAllowed } from "./machine.ts";
import type { Circumstances } from "./machine.ts";
import { releaseManifest } from "./manifest.ts";
import type { ReleaseManifest } from "./manifest.ts";
import { judge, refuse } from "./refusal.ts";
import type { Verdict } from "./refusal.ts";
import { checkRole, checkRootAge, clockSlack } from "./root.ts";
import type { Root } from "./root.ts";
import { checkTarget } from "./target.ts";
import { compareReleases, compareVersions, momentText } from "./words.ts";

export interface ReleaseFacts {
  readonly manifest: ReleaseManifest;
  /** SHA-256 of the payload: what pointers and leaves name. */
  readonly sha256: string;
  /** Ids of the release keys that signed. */
  readonly signers: readonly string[];
  /** Beside the newest that ran here. `older` only ever with a leave. */
  readonly age: "newer" | "same" | "older";
}

/** A manifest's file before anybody has signed it: what a build writes. */
export function releaseEnvelope(manifest: ReleaseManifest): Envelope {
  return { kind: "release", payload: stringifyCanonical(manifest), signatures: [] };
}

/** Reads the payload without looking at signatures. Throws KEEL-821. */
export function readManifest({ payload }: Envelope): ReleaseManifest {
  return parseCanonical(payload, {
    shape: releaseManifest,
    what: "the manifest",
    limit: documentKinds.release.limit,
  });
}

/** Signatures, form and age, without asking which machine it is for. */
export function verifyManifest(
  bytes: Uint8Array,
  { trust, now }: { readonly trust: Root; readonly now: number },
): Verdict<Omit<ReleaseFacts, "age">> {
  return judge(() => checkManifest(bytes, trust, now));
}

/**
 * Judges a manifest for this machine. Refuses with KEEL-821 (form), 822 (signatures), 823 (expired), 825 (older than
 * what ran here), 826 (epoch), 827 (for other machines), 828 (not what the pointer names), 831 (another version
 * comes first) and 835 (made in the future).
 */
export function verifyRelease(
  bytes: Uint8Array,
  { pointer, ...about }: Circumstances & { readonly pointer?: ChannelPointer },
): Verdict<ReleaseFacts> {
  return judge(() => {
    const facts = checkManifest(bytes, about.trust, about.now);
    const { manifest, sha256 } = facts;
    checkTarget(manifest, about);
    if (pointer !== undefined) checkPointed(facts, pointer);
    const difference = compareReleases(manifest, oldestAllowed(about));
    if (difference < 0 && !allowsDowngrade(about.downgrade, { ...manifest, manifest: sha256 }))
      refuseOlder(manifest, about);
    const { from } = manifest;
    if (from !== undefined && compareVersions(about.machine.version, from) < 0)
      refuse(
        "KEEL-831",
        `${manifest.version} is reached from ${from} on, this machine runs ${about.machine.version}`,
      );
    return { ...facts, age: difference < 0 ? "older" : difference === 0 ? "same" : "newer" };
  });
}

function checkManifest(bytes: Uint8Array, trust: Root, now: number): Omit<ReleaseFacts, "age"> {
  checkRootAge(trust, now);
  const envelope = readEnvelope(bytes, "release");
  const signers = checkRole(envelope, trust, "release");
  const manifest = readManifest(envelope);
  const { least, most } = trust.epoch;
  if (manifest.epoch < least || manifest.epoch > most)
    refuse("KEEL-826", `its epoch is ${manifest.epoch}, root ${trust.version} allows ${least} to ${most}`);
  if (manifest.created > now + clockSlack)
    refuse(
      "KEEL-835",
      `release ${manifest.version} was made ${momentText(manifest.created)}; this clock is behind`,
    );
  if (now >= manifest.expires)
    refuse("KEEL-823", `release ${manifest.version} expired ${momentText(manifest.expires)}`);
  return { manifest, sha256: payloadHash(envelope), signers };
}

function checkPointed({ manifest, sha256 }: Omit<ReleaseFacts, "age">, pointer: ChannelPointer): void {
  const { version, epoch, variant, architecture } = pointer;
  if (sha256 !== pointer.manifest)
    refuse("KEEL-828", `the channel names another manifest of ${version} than this one`);
  if (
    manifest.version !== version ||
    manifest.epoch !== epoch ||
    manifest.variant !== variant ||
    manifest.architecture !== architecture
  )
    refuse("KEEL-828", `the channel says ${version} (epoch ${epoch}) of a manifest that says otherwise`);
}

function refuseOlder(manifest: ReleaseManifest, about: Circumstances): never {
  const least = oldestAllowed(about);
  if (manifest.epoch < least.epoch)
    refuse(
      "KEEL-826",
      `its epoch is ${manifest.epoch}, this machine has had ${least.epoch}: it must not go back`,
    );
  return refuse("KEEL-825", `${manifest.version} is older than ${least.version}, which ran here`);
}
