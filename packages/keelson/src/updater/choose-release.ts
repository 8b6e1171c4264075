// Which release of a source is meant, and whether this machine may have it.
import { KeelError } from "../base/errors.ts";
import { releaseFileName } from "../model/os-image.ts";
import { readPointer as readChannelPointer, verifyChannel } from "../releases/channel.ts";
import type { ChannelFacts, ChannelPointer } from "../releases/channel.ts";
import { verifyDowngrade } from "../releases/downgrade.ts";
import type { DowngradeFacts } from "../releases/downgrade.ts";
import { documentKinds, readEnvelope } from "../releases/envelope.ts";
import { rememberPointer } from "../releases/machine.ts";
import { accepted } from "../releases/refusal.ts";
import { verifyRelease } from "../releases/release.ts";
import type { ReleaseFacts } from "../releases/release.ts";
import { compareVersions, momentText } from "../releases/words.ts";
import { keepMemory } from "./machine-trust.ts";
import type { Trust, TrustFiles } from "./machine-trust.ts";
import type { ReleaseSource } from "./sources/release-source.ts";

export interface Wish {
  /** A version; otherwise the channel's, or the newest that a folder has. */
  readonly to?: string;
  readonly channel?: string;
  /** To look for the signed leave to go back. */
  readonly allowDowngrade: boolean;
}

export interface About {
  readonly trust: Trust;
  readonly files: TrustFiles;
  /** Seconds since 1970. */
  readonly now: number;
  readonly signal: AbortSignal;
}

/** The channel of sources that are asked for no version and list none. */
export const standardChannel = "stable";

/** Throws KEEL-814 when nothing is on offer, and the refusals of releases/release.ts and releases/channel.ts. */
export async function chooseRelease(source: ReleaseSource, wish: Wish, about: About): Promise<ReleaseFacts> {
  const pointer = wish.to === undefined ? await readPointer(source, wish, about) : undefined;
  const version = wish.to ?? pointer?.version ?? (await newestListed(source, about));
  const { trust, now, signal } = about;
  const name = releaseFileName({ ...machineName(trust), version }, "manifest.json");
  const bytes = await source.document(name, documentKinds.release.limit, signal);
  if (bytes === undefined) throw new KeelError("KEEL-814", `${source.place} has no ${name}`);
  const leave = wish.allowDowngrade ? await readLeave(source, version, about) : undefined;
  const facts = accepted(
    verifyRelease(bytes, {
      ...trust,
      now,
      ...(leave === undefined ? {} : { downgrade: leave }),
      ...(pointer === undefined ? {} : { pointer }),
    }),
  );
  if (facts.manifest.version !== version)
    throw new KeelError("KEEL-828", `${name} is the manifest of version ${facts.manifest.version}`);
  return facts;
}

/** Versions that a folder has for this machine, the oldest first. */
export async function listedVersions(
  source: ReleaseSource,
  { trust, signal }: About,
): Promise<readonly string[]> {
  const { variant, architecture } = trust.machine;
  const names = (await source.list(signal)) ?? [];
  const pattern = new RegExp(`^keelson_(\\d+\\.\\d+\\.\\d+)_${variant}_${architecture}\\.manifest\\.json$`);
  return names.flatMap((name) => pattern.exec(name)?.[1] ?? []).toSorted(compareVersions);
}

async function newestListed(source: ReleaseSource, about: About): Promise<string> {
  const newest = (await listedVersions(source, about)).at(-1);
  if (newest !== undefined) return newest;
  const { variant, architecture } = about.trust.machine;
  throw new KeelError("KEEL-814", `${source.place} has no release for ${variant} on ${architecture}`, {
    hint: "name a version with --to, or a channel with --channel",
  });
}

async function readPointer(
  source: ReleaseSource,
  { channel, allowDowngrade }: Wish,
  about: About,
): Promise<ChannelPointer | undefined> {
  const lists = channel === undefined && (await source.list(about.signal)) !== undefined;
  if (lists) return undefined;
  const { trust, now, signal, files } = about;
  const { variant, architecture } = trust.machine;
  const wanted = channel ?? standardChannel;
  const name = `channel.${wanted}_${variant}_${architecture}.json`;
  const bytes = await source.document(name, documentKinds.channel.limit, signal);
  if (bytes === undefined)
    throw new KeelError("KEEL-814", `${source.place} has no ${name}`, { hint: "name a version with --to" });
  const claimed = verifyChannel(bytes, { ...trust, now, channel: wanted });
  const leave =
    claimed.accepted || !allowDowngrade
      ? undefined
      : await leaveOfPointer(source, bytes, { ...about, wanted });
  const { pointer, seen, staleSince } = leave ?? accepted(claimed);
  await keepMemory(rememberPointer(trust.memory, { channel: wanted, variant, pointer: seen }), files);
  if (staleSince !== undefined)
    throw new KeelError("KEEL-824", `channel ${wanted} is stale since ${momentText(staleSince)}`);
  return pointer;
}

/** A pointer that goes back counts when there is a leave for the release that it names. */
async function leaveOfPointer(
  source: ReleaseSource,
  bytes: Uint8Array,
  { wanted, ...about }: About & { readonly wanted: string },
): Promise<ChannelFacts> {
  const { version } = readChannelPointer(readEnvelope(bytes, "channel"));
  const downgrade = await readLeave(source, version, about);
  return accepted(verifyChannel(bytes, { ...about.trust, now: about.now, downgrade, channel: wanted }));
}

async function readLeave(
  source: ReleaseSource,
  version: string,
  { trust, now, signal }: About,
): Promise<DowngradeFacts> {
  const name = releaseFileName({ ...machineName(trust), version }, "manifest.json").replace(
    /manifest\.json$/,
    "downgrade.json",
  );
  const bytes = await source.document(name, documentKinds.downgrade.limit, signal);
  if (bytes === undefined)
    throw new KeelError("KEEL-825", `${source.place} has no ${name}: the signed leave to go back`, {
      hint: "sign one with `keel os release downgrade`",
    });
  return accepted(verifyDowngrade(bytes, { ...trust, now }));
}

function machineName({ machine }: Trust): Pick<Trust["machine"], "variant" | "architecture"> {
  return { variant: machine.variant, architecture: machine.architecture };
}
