// What a signed document says, for people.
import { readPointer } from "../../../../releases/channel.ts";
import { readDowngrade } from "../../../../releases/downgrade.ts";
import { payloadHash, shortId } from "../../../../releases/envelope.ts";
import type { Envelope } from "../../../../releases/envelope.ts";
import { releaseFiles } from "../../../../releases/manifest.ts";
import { readManifest } from "../../../../releases/release.ts";
import { keyLabel, readRoot, roleNames } from "../../../../releases/root.ts";
import { momentText } from "../../../../releases/words.ts";

/** The payload as data. Throws KEEL-821. */
export function documentData(envelope: Envelope): Readonly<Record<string, unknown>> {
  const read = { root: readRoot, channel: readPointer, release: readManifest, downgrade: readDowngrade };
  return read[envelope.kind](envelope);
}

/** Several lines. Signatures are named, not checked. Throws KEEL-821. */
export function documentText(envelope: Envelope): string {
  const lines = { root: rootLines, channel: pointerLines, release: releaseLines, downgrade: downgradeLines };
  const signers = envelope.signatures.map(({ keyid }) =>
    envelope.kind === "root" ? keyLabel(readRoot(envelope), keyid) : shortId(keyid),
  );
  return [
    ...lines[envelope.kind](envelope),
    `payload ${payloadHash(envelope)}`,
    `signatures ${signers.length === 0 ? "none" : signers.join(", ")} (not checked here)`,
    "",
  ].join("\n");
}

function rootLines(envelope: Envelope): string[] {
  const root = readRoot(envelope);
  return [
    `root ${root.version} for ${root.purpose}, ${momentText(root.created)} to ${momentText(root.expires)}`,
    ...roleNames.map((name) => {
      const { keys, threshold } = root.roles[name];
      return `${name}: ${threshold} of ${keys.map((id) => keyLabel(root, id)).join(", ")}`;
    }),
    `generation ${root.generation}, epochs ${root.epoch.least} to ${root.epoch.most}`,
  ];
}

function pointerLines(envelope: Envelope): string[] {
  const pointer = readPointer(envelope);
  const { channel, variant, architecture, version, epoch, generation, counter } = pointer;
  return [
    `channel ${channel} for ${variant} ${architecture}: ${version}, epoch ${epoch}`,
    `number ${counter} of generation ${generation}, ${momentText(pointer.issued)} to ${momentText(pointer.expires)}`,
    `manifest ${pointer.manifest}`,
  ];
}

function releaseLines(envelope: Envelope): string[] {
  const release = readManifest(envelope);
  const { version, epoch, variant, architecture, created, expires } = release;
  return [
    `release ${version} for ${variant} ${architecture}, epoch ${epoch}`,
    `${momentText(created)} to ${momentText(expires)}`,
    ...releaseFiles(release).map(
      ({ name, size, sha256 }) => `${sha256}  ${String(size).padStart(10)}  ${name}`,
    ),
  ];
}

function downgradeLines(envelope: Envelope): string[] {
  const { to, variant, architecture, reason, created, expires } = readDowngrade(envelope);
  return [
    `leave to go back to ${to.version}, epoch ${to.epoch}, for ${variant} ${architecture}: ${reason}`,
    `${momentText(created)} to ${momentText(expires)}`,
    `manifest ${to.manifest}`,
  ];
}
