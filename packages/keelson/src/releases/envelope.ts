// A document with signatures over its exact bytes: DSSE (https://github.com/secure-systems-lab/dsse), Ed25519.
// One JSON file holds the payload, as base64, and any number of signatures, which may be added in any order on
// different machines: the payload's bytes never change. The payload's kind is signed, too, so that a document of one
// kind never passes for another.
import { createHash, createPublicKey, sign, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import * as z from "zod/mini";
import { parseCanonical, stringifyCanonical } from "./canonical-json.ts";
import { refuse } from "./refusal.ts";

/** Kinds of documents, and the most bytes that a file of each may have. */
export const documentKinds = {
  root: { type: "application/vnd.keelson.root+json", limit: 64 << 10 },
  channel: { type: "application/vnd.keelson.channel+json", limit: 16 << 10 },
  release: { type: "application/vnd.keelson.release+json", limit: 128 << 10 },
  downgrade: { type: "application/vnd.keelson.downgrade+json", limit: 16 << 10 },
} as const;
export type DocumentKind = keyof typeof documentKinds;

/** Signatures that one file may hold. */
const mostSignatures = 16;

const base64 = z.string().check(z.regex(/^[A-Za-z0-9+/]*={0,2}$/));

const envelopeShape = z.strictObject({
  payloadType: z.string().check(z.maxLength(100)),
  payload: base64,
  signatures: z
    .array(
      z.strictObject({
        keyid: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
        sig: base64.check(z.length(88)),
      }),
    )
    .check(z.maxLength(mostSignatures)),
});

export interface Signature {
  /** SHA-256 of the public key's 32 bytes, in hex. */
  readonly keyid: string;
  /** 64 bytes, as base64. */
  readonly sig: string;
}

export interface Envelope {
  readonly kind: DocumentKind;
  readonly payload: Uint8Array;
  readonly signatures: readonly Signature[];
}

export interface PublicKey {
  readonly id: string;
  /** Its 32 bytes, as base64. */
  readonly public: string;
}

/** Reads a file without believing it. Throws KEEL-821 for everything that {@link writeEnvelope} would not write. */
export function readEnvelope(bytes: Uint8Array, kind: DocumentKind): Envelope {
  const { type, limit } = documentKinds[kind];
  const { payloadType, payload, signatures } = parseCanonical(bytes, {
    shape: envelopeShape,
    what: `the ${kind} file`,
    limit,
  });
  if (payloadType !== type) refuse("KEEL-821", `the file holds ${payloadType}, not ${type}`);
  for (const text of [payload, ...signatures.map(({ sig }) => sig)])
    if (Buffer.from(text, "base64").toString("base64") !== text)
      refuse("KEEL-821", `the ${kind} file holds base64 with bits that mean nothing`);
  const ids = new Set(signatures.map(({ keyid }) => keyid));
  if (ids.size !== signatures.length) refuse("KEEL-821", `the ${kind} file is signed twice by one key`);
  return { kind, payload: Buffer.from(payload, "base64"), signatures };
}

/** The file's bytes: one line. */
export function writeEnvelope({ kind, payload, signatures }: Envelope): Uint8Array {
  return stringifyCanonical({
    payloadType: documentKinds[kind].type,
    payload: Buffer.from(payload).toString("base64"),
    signatures: signatures
      .toSorted((a, b) => (a.keyid < b.keyid ? -1 : 1))
      .map(({ keyid, sig }) => ({ keyid, sig })),
  });
}

/** What is signed: DSSE's pre-authentication encoding. */
export function signedBytes({ kind, payload }: Pick<Envelope, "kind" | "payload">): Uint8Array {
  const { type } = documentKinds[kind];
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.byteLength} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** Adds a signature, or replaces the same key's. The key is an Ed25519 private key. */
export function signEnvelope(envelope: Envelope, key: KeyObject): Envelope {
  const { id } = publicKeyOf(key);
  const sig = sign(null, signedBytes(envelope), key).toString("base64");
  const others = envelope.signatures.filter(({ keyid }) => keyid !== id);
  return { ...envelope, signatures: [...others, { keyid: id, sig }] };
}

/** Signatures from several copies of one document together. Throws KEEL-828 when their payloads differ. */
export function mergeEnvelopes(first: Envelope, others: readonly Envelope[]): Envelope {
  const all = new Map(first.signatures.map((one) => [one.keyid, one]));
  for (const { kind, payload, signatures } of others) {
    if (kind !== first.kind || !Buffer.from(payload).equals(first.payload))
      refuse("KEEL-828", "the files are not copies of one document: their payloads differ");
    for (const one of signatures) all.set(one.keyid, one);
  }
  return { ...first, signatures: [...all.values()] };
}

/**
 * Those of the keys that signed. Signatures of other keys count for nothing. Throws KEEL-822 when fewer than
 * `threshold` signed, and when a signature of one of the keys is not over these bytes.
 */
export function checkSignatures(
  envelope: Envelope,
  { keys, threshold }: { readonly keys: readonly PublicKey[]; readonly threshold: number },
): readonly string[] {
  const known = new Map(keys.map((key) => [key.id, key]));
  const message = signedBytes(envelope);
  const signers: string[] = [];
  for (const { keyid, sig } of envelope.signatures) {
    const key = known.get(keyid);
    if (key === undefined) continue;
    if (!verify(null, message, importPublicKey(key.public), Buffer.from(sig, "base64")))
      refuse("KEEL-822", `the signature of key ${shortId(keyid)} is not over these bytes`);
    signers.push(keyid);
  }
  if (signers.length < threshold)
    refuse("KEEL-822", `signed by ${signers.length} of the trusted keys, ${threshold} must sign`);
  return signers;
}

/** Identity and bytes of an Ed25519 key, private or public. Throws KEEL-833 for another kind of key. */
export function publicKeyOf(key: KeyObject): PublicKey {
  if (key.asymmetricKeyType !== "ed25519") refuse("KEEL-833", "the key is no Ed25519 key");
  const open = key.type === "private" ? createPublicKey(key) : key;
  const raw = Buffer.from(String(open.export({ format: "jwk" }).x), "base64url");
  return { id: keyId(raw), public: raw.toString("base64") };
}

/** SHA-256 of what the signatures cover: how documents name each other. */
export function payloadHash({ payload }: Pick<Envelope, "payload">): string {
  return createHash("sha256").update(payload).digest("hex");
}

export function keyId(raw: Uint8Array): string {
  return createHash("sha256").update(raw).digest("hex");
}

/** How people see a key's identity. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}

function importPublicKey(text: string): KeyObject {
  const x = Buffer.from(text, "base64").toString("base64url");
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
}
