// Keys, roots and documents for tests: a small publisher, and a machine that believes it.
import { generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { deltaFileName, releaseFileName } from "../../src/model/os-image.ts";
import type { ReleaseName } from "../../src/model/os-image.ts";
import { channelEnvelope } from "../../src/releases/channel.ts";
import type { ChannelPointer } from "../../src/releases/channel.ts";
import { downgradeEnvelope } from "../../src/releases/downgrade.ts";
import type { Downgrade } from "../../src/releases/downgrade.ts";
import { payloadHash, publicKeyOf, signEnvelope, writeEnvelope } from "../../src/releases/envelope.ts";
import type { Envelope } from "../../src/releases/envelope.ts";
import { emptyMemory } from "../../src/releases/machine.ts";
import type { Circumstances } from "../../src/releases/machine.ts";
import type { ReleaseManifest } from "../../src/releases/manifest.ts";
import { releaseEnvelope } from "../../src/releases/release.ts";
import { rootEnvelope } from "../../src/releases/root.ts";
import type { Root } from "../../src/releases/root.ts";

export const day = 86_400;
/** 2026-11-21. */
export const now = 1_795_219_200;

export const newKey = (): KeyObject => generateKeyPairSync("ed25519").privateKey;

/** Two root keys of two, two release keys of three, one channel key. */
export const keys = {
  root: [newKey(), newKey()],
  release: [newKey(), newKey(), newKey()],
  channel: [newKey()],
} as const;

export function makeRoot(
  change: Partial<Root> = {},
  by: Readonly<Record<"root" | "release" | "channel", readonly KeyObject[]>> = keys,
): Root {
  const ids = (list: readonly KeyObject[]): string[] => list.map((key) => publicKeyOf(key).id);
  return {
    schema: 1,
    products: ["keelson-os"],
    version: 1,
    purpose: "production",
    created: now - 10 * day,
    expires: now + 365 * day,
    keys: Object.entries(by).flatMap(([role, list]) =>
      list.map((key, i) => ({ ...publicKeyOf(key), name: `${role} ${i + 1}` })),
    ),
    roles: {
      root: { keys: ids(by.root), threshold: Math.min(2, by.root.length) },
      release: { keys: ids(by.release), threshold: Math.min(2, by.release.length) },
      channel: { keys: ids(by.channel), threshold: 1 },
    },
    generation: 0,
    epoch: { least: 0, most: 10 },
    ...change,
  };
}

export const root = makeRoot();

export const signed = (envelope: Envelope, by: readonly KeyObject[]): Uint8Array =>
  writeEnvelope(by.reduce(signEnvelope, envelope));

export const signedRoot = (one: Root, by: readonly KeyObject[] = keys.root): Uint8Array =>
  signed(rootEnvelope(one), by);

const hash = (digit: string): string => digit.repeat(64);

export function makeManifest(change: Partial<ReleaseManifest> = {}): ReleaseManifest {
  const name: ReleaseName = {
    version: change.version ?? "1.1.0",
    variant: change.variant ?? "vm",
    architecture: change.architecture ?? "amd64",
  };
  return {
    schema: 1,
    product: "keelson-os",
    ...name,
    architecture: "amd64",
    epoch: 1,
    created: now - day,
    expires: now + 90 * day,
    root: {
      name: releaseFileName(name, "root.zst"),
      size: 70_000_000,
      sha256: hash("a"),
      unpacked: { size: 300_000_000, sha256: hash("b") },
      verity: hash("c"),
      uuid: "6c3ac7c0-0000-4000-8000-000000000001",
    },
    kernel: { name: releaseFileName(name, "efi"), size: 14_000_000, sha256: hash("d") },
    sbom: { name: releaseFileName(name, "sbom.json"), size: 90_000, sha256: hash("e") },
    deltas: [
      {
        from: "1.0.0",
        name: deltaFileName("1.0.0", name),
        size: 2_000_000,
        sha256: hash("f"),
        base: { size: 300_000_000, sha256: hash("0") },
      },
    ],
    ...change,
  };
}

export const signedRelease = (
  manifest: ReleaseManifest = makeManifest(),
  by: readonly KeyObject[] = keys.release.slice(0, 2),
): Uint8Array => signed(releaseEnvelope(manifest), by);

export const hashOf = (manifest: ReleaseManifest): string => payloadHash(releaseEnvelope(manifest));

export function makePointer(
  change: Partial<ChannelPointer> = {},
  manifest: ReleaseManifest = makeManifest(),
): ChannelPointer {
  return {
    schema: 1,
    product: "keelson-os",
    channel: "stable",
    variant: manifest.variant,
    architecture: manifest.architecture,
    version: manifest.version,
    epoch: manifest.epoch,
    manifest: hashOf(manifest),
    issued: now - 3600,
    expires: now + 7 * day,
    generation: 0,
    counter: 5,
    ...change,
  };
}

export const signedPointer = (
  pointer: ChannelPointer = makePointer(),
  by: readonly KeyObject[] = keys.channel,
): Uint8Array => signed(channelEnvelope(pointer), by);

export function makeDowngrade(to: ReleaseManifest, change: Partial<Downgrade> = {}): Downgrade {
  return {
    schema: 1,
    product: "keelson-os",
    variant: to.variant,
    architecture: to.architecture,
    to: { version: to.version, epoch: to.epoch, manifest: hashOf(to) },
    reason: "1.1.0 loses disks",
    created: now - 3600,
    expires: now + 14 * day,
    ...change,
  };
}

export const signedDowngrade = (
  downgrade: Downgrade,
  by: readonly KeyObject[] = keys.release.slice(0, 2),
): Uint8Array => signed(downgradeEnvelope(downgrade), by);

/** A machine that runs 1.0.0 of epoch 1. */
export const about: Circumstances = {
  trust: root,
  machine: { product: "keelson-os", variant: "vm", architecture: "amd64", version: "1.0.0", epoch: 1 },
  memory: emptyMemory,
  now,
};

/** The bytes with one bit turned. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = (bit >> 3) % copy.byteLength;
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
  return copy;
}
