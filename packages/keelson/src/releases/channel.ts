// A channel's pointer: which release a channel's machines should have now. Signed by the online key for a short time,
// so that a server that keeps machines on old news is found out. It cannot make a release: it only names one.
import * as z from "zod/mini";
import { variants } from "../model/os-image.ts";
import { parseCanonical, stringifyCanonical } from "./canonical-json.ts";
import { allowsDowngrade } from "./downgrade.ts";
import { documentKinds, payloadHash, readEnvelope } from "./envelope.ts";
import type { Envelope } from "./envelope.ts";
import type { Circumstances, SeenPointer } from "./machine.ts";
import { judge, refuse } from "./refusal.ts";
import type { Verdict } from "./refusal.ts";
import { checkRole, checkRootAge, clockSlack } from "./root.ts";
import { checkTarget } from "./target.ts";
import { channelName, compareReleases, epoch, generation, moment, momentText } from "./words.ts";
import { productName, sha256, version } from "./words.ts";

/** The longest that a pointer may count, in seconds: 45 days. */
export const longestPointer = 45 * 86_400;

/** Counters beyond this are absurd: one each millisecond for 30 000 years. */
const mostCounter = 10 ** 15;

const pointerShape = z
  .strictObject({
    schema: z.literal(1),
    product: productName,
    channel: channelName,
    variant: z.enum(variants),
    architecture: z.enum(["amd64", "arm64"]),
    version,
    epoch,
    /** SHA-256 of the manifest's payload: the bytes that its signatures cover. */
    manifest: sha256,
    issued: moment,
    expires: moment,
    /** The root's; pointers of other generations do not count. */
    generation,
    /** Grows with each pointer of a generation. */
    counter: z.int().check(z.gte(0), z.lte(mostCounter)),
  })
  .check(
    z.refine(({ issued, expires }) => expires > issued, "it expires before it was issued"),
    z.refine(({ issued, expires }) => expires - issued <= longestPointer, "it would count for too long"),
  );

export type ChannelPointer = z.infer<typeof pointerShape>;

export interface ChannelFacts {
  readonly pointer: ChannelPointer;
  /** To be remembered before anything else is done: {@link rememberPointer}. */
  readonly seen: SeenPointer;
  readonly signers: readonly string[];
  /**
   * Set when the pointer has expired: what it says is true but old, and whoever serves it may be keeping news back.
   * Nothing is installed from it; `channel stale since …` is to be told.
   */
  readonly staleSince?: number;
}

export function channelEnvelope(pointer: ChannelPointer): Envelope {
  return { kind: "channel", payload: stringifyCanonical(pointer), signatures: [] };
}

/** Reads the payload without looking at signatures. Throws KEEL-821. */
export function readPointer({ payload }: Envelope): ChannelPointer {
  return parseCanonical(payload, {
    shape: pointerShape,
    what: "the channel’s pointer",
    limit: documentKinds.channel.limit,
  });
}

/**
 * Judges a pointer. Refuses with KEEL-821 (form), 822 (signatures), 823 (root expired), 825 (older than one that was
 * seen), 827 (for other machines or another channel), 828 (two pointers with one counter), 829 (generation) and
 * 835 (issued in the future). An expired pointer is no refusal here: see `staleSince`.
 */
export function verifyChannel(
  bytes: Uint8Array,
  { channel, ...about }: Circumstances & { readonly channel: string },
): Verdict<ChannelFacts> {
  return judge(() => {
    const { trust, now } = about;
    checkRootAge(trust, now);
    const envelope = readEnvelope(bytes, "channel");
    const signers = checkRole(envelope, trust, "channel");
    const pointer = readPointer(envelope);
    if (pointer.channel !== channel)
      refuse("KEEL-827", `the pointer is of channel ${pointer.channel}, not ${channel}`);
    checkTarget(pointer, about);
    if (pointer.generation !== trust.generation)
      refuse(
        "KEEL-829",
        `the pointer is of generation ${pointer.generation}, root ${trust.version} wants ${trust.generation}`,
      );
    if (pointer.issued > now + clockSlack)
      refuse("KEEL-835", `the pointer was issued ${momentText(pointer.issued)}; this clock is behind`);
    const { generation: age, counter, issued, expires } = pointer;
    const order = { epoch: pointer.epoch, version: pointer.version };
    const seen = { generation: age, counter, issued, expires, ...order, sha256: payloadHash(envelope) };
    checkAgainstSeen(seen, pointer, about);
    return { pointer, seen, signers, ...(now >= expires ? { staleSince: expires } : {}) };
  });
}

/**
 * For a channel that was not reached at all, or gives nothing newer: since when its last pointer has expired.
 * Undefined while it counts, and when there never was one.
 */
export function staleSince(seen: SeenPointer | undefined, now: number): number | undefined {
  return seen !== undefined && now >= seen.expires ? seen.expires : undefined;
}

function checkAgainstSeen(
  seen: SeenPointer,
  pointer: ChannelPointer,
  { memory, downgrade }: Circumstances,
): void {
  const { pointer: last } =
    memory.channels.find(({ name, variant }) => name === pointer.channel && variant === pointer.variant) ??
    {};
  if (last === undefined || last.generation < seen.generation) return;
  if (last.generation > seen.generation || last.counter > seen.counter)
    refuse(
      "KEEL-825",
      `pointer ${seen.counter} is older than pointer ${last.counter}, which was seen before`,
    );
  if (last.counter === seen.counter && last.sha256 !== seen.sha256)
    refuse("KEEL-828", `there are two pointers with the number ${seen.counter}`);
  if (compareReleases(seen, last) < 0 && !allowsDowngrade(downgrade, pointer))
    refuse(
      "KEEL-825",
      `the channel went back from ${last.version} to ${seen.version}, and no downgrade is allowed`,
    );
}
