// The root of trust: which keys may sign what. A machine starts from the root that its image ships, and follows a
// chain: root N+1 counts when as many of root N's root keys have signed it as root N asks for, and as many of its own.
// The rules for rotation are in docs/operations/releases.md.
import * as z from "zod/mini";
import { parseCanonical, stringifyCanonical } from "./canonical-json.ts";
import { checkSignatures, documentKinds, keyId, readEnvelope, shortId } from "./envelope.ts";
import type { Envelope, PublicKey } from "./envelope.ts";
import { judge, refuse } from "./refusal.ts";
import type { Refusal, Verdict } from "./refusal.ts";
import { epoch, generation, moment, momentText, productName, sha256 } from "./words.ts";

export const roleNames = ["root", "release", "channel"] as const;
/** `root` signs roots, `release` signs manifests and downgrades (both offline), `channel` signs pointers (online). */
export type RoleName = (typeof roleNames)[number];

const role = z
  .strictObject({
    keys: z.array(sha256).check(z.minLength(1), z.maxLength(16)),
    threshold: z.int().check(z.gte(1), z.lte(16)),
  })
  .check(
    z.refine(({ keys }) => new Set(keys).size === keys.length, "a key is named twice"),
    z.refine(({ keys, threshold }) => threshold <= keys.length, "more must sign than there are keys"),
  );

const key = z
  .strictObject({
    id: sha256,
    /** 32 bytes as base64. */
    public: z.string().check(z.regex(/^[A-Za-z0-9+/]{43}=$/)),
    /** Whose it is, and where it lies. */
    name: z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,60}$/)),
  })
  .check(z.refine(hasItsId, "a key’s id is not the hash of its bytes"));

const rootShape = z
  .strictObject({
    schema: z.literal(1),
    products: z.array(productName).check(z.minLength(1), z.maxLength(8)),
    version: z.int().check(z.gte(1), z.lte(100_000)),
    /** `development` when a build made the keys for itself: nobody guards them. */
    purpose: z.enum(["production", "development"]),
    created: moment,
    expires: moment,
    keys: z.array(key).check(z.minLength(1), z.maxLength(48)),
    roles: z.strictObject({ root: role, release: role, channel: role }),
    /** The only generation of channel pointers that counts. Raised to recover from absurd counters. */
    generation,
    /** Bounds of a release's epoch. Nothing below `least` is installed, and nobody but a root raises `most`. */
    epoch: z.strictObject({ least: epoch, most: epoch }),
  })
  .check(
    z.refine((root) => root.expires > root.created, "it expires before it was made"),
    z.refine((root) => root.epoch.least <= root.epoch.most, "no epoch is left"),
    z.refine(({ keys }) => new Set(keys.map(({ id }) => id)).size === keys.length, "a key is there twice"),
    z.refine(namesItsKeys, "a role names a key that is not there, or a key has no role"),
  );

export type Root = z.infer<typeof rootShape>;

/** Signs whose payload is `root`. Not signed yet. */
export function rootEnvelope(root: Root): Envelope {
  return { kind: "root", payload: stringifyCanonical(root), signatures: [] };
}

/** A root that its own keys have signed, and that is believed because of where it lies: in the verified image. */
export function openRoot(bytes: Uint8Array): Verdict<Root> {
  return judge(() => {
    const envelope = readEnvelope(bytes, "root");
    const root = readRoot(envelope);
    checkRole(envelope, root, "root");
    return root;
  });
}

/** Whether these bytes may follow the trusted root. */
export function verifyRoot(
  bytes: Uint8Array,
  { trust, now }: { readonly trust: Root; readonly now: number },
): Verdict<Root> {
  return judge(() => {
    const envelope = readEnvelope(bytes, "root");
    checkRole(envelope, trust, "root");
    const root = readRoot(envelope);
    checkRole(envelope, root, "root");
    if (root.version !== trust.version + 1)
      refuse("KEEL-830", `root ${root.version} cannot follow root ${trust.version}: one after the other`);
    if (root.purpose !== trust.purpose)
      refuse("KEEL-830", `a ${root.purpose} root cannot follow one for ${trust.purpose}`);
    if (root.generation < trust.generation || root.epoch.least < trust.epoch.least)
      refuse("KEEL-830", `root ${root.version} lowers the generation or the least epoch of the one before`);
    if (root.created > now + clockSlack)
      refuse("KEEL-835", `root ${root.version} was made ${momentText(root.created)}; this clock is behind`);
    return root;
  });
}

/** Seconds that a clock may be behind the one of whoever signed. */
export const clockSlack = 86_400;

export interface TrustChain {
  /** The newest root that can be believed. */
  readonly root: Root;
  /** Why what came after it cannot; undefined when all of them can. */
  readonly broken?: Refusal;
}

/**
 * Follows roots, in the order of their versions, from the one in the verified image. What a machine keeps on its
 * state partition is nothing but such a chain, so whoever changes files there gains no trust. Roots up to the image's
 * own are passed over.
 */
export function followRoots(
  shipped: Uint8Array,
  later: readonly Uint8Array[],
  now: number,
): Verdict<TrustChain> {
  const first = openRoot(shipped);
  if (!first.accepted) return first;
  let root = first.facts;
  for (const bytes of later) {
    const claimed = judge(() => readRoot(readEnvelope(bytes, "root")).version);
    if (claimed.accepted && claimed.facts <= root.version) continue;
    const next = verifyRoot(bytes, { trust: root, now });
    if (!next.accepted) return { accepted: true, facts: { root, broken: next.refusal } };
    root = next.facts;
  }
  return { accepted: true, facts: { root } };
}

/** Reads the payload without looking at signatures. Throws KEEL-821. */
export function readRoot({ payload }: Envelope): Root {
  return parseCanonical(payload, { shape: rootShape, what: "the root", limit: documentKinds.root.limit });
}

/** Which keys of a role signed. Throws KEEL-822. */
export function checkRole(envelope: Envelope, root: Root, name: RoleName): readonly string[] {
  return checkSignatures(envelope, roleKeys(root, name));
}

export function roleKeys(
  root: Root,
  name: RoleName,
): { readonly keys: readonly PublicKey[]; readonly threshold: number } {
  const { keys, threshold } = root.roles[name];
  return { keys: root.keys.filter(({ id }) => keys.includes(id)), threshold };
}

/** Throws KEEL-823 when the root itself is too old to say anything. */
export function checkRootAge(root: Root, now: number): void {
  if (now >= root.expires)
    refuse(
      "KEEL-823",
      `root ${root.version} expired ${momentText(root.expires)}: a newer one must be fetched`,
    );
}

/** `laptop (3f2a…)`: how messages call a key. */
export function keyLabel(root: Root, id: string): string {
  const name = root.keys.find((key) => key.id === id)?.name;
  return name === undefined ? shortId(id) : `${name} (${shortId(id)})`;
}

function hasItsId(key: { readonly id: string; readonly public: string }): boolean {
  const raw = Buffer.from(key.public, "base64");
  return raw.toString("base64") === key.public && keyId(raw) === key.id;
}

function namesItsKeys(root: {
  readonly keys: readonly { readonly id: string }[];
  readonly roles: Readonly<Record<RoleName, { readonly keys: readonly string[] }>>;
}): boolean {
  const there = new Set(root.keys.map(({ id }) => id));
  const named = new Set(roleNames.flatMap((name) => root.roles[name].keys));
  return there.size === named.size && [...named].every((id) => there.has(id));
}
