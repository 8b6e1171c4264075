// Whether a program's signature is whole, and whether firmware with certain keys would start it. The firmware decides;
// this tells beforehand.
import { createHash, verify, X509Certificate } from "node:crypto";
import { elementAt, elements, inContext, tags } from "./der.ts";
import type { Element } from "./der.ts";
import { ids } from "./object-ids.ts";
import { imageHash, signaturesIn } from "./pe-image.ts";
import { issuerAndSerial } from "./sign.ts";
import type { SignatureList } from "./signature-list.ts";

export interface ImageSigner {
  readonly certificate: X509Certificate;
  /** Everything that came with the signature, the signer's own as well. */
  readonly chain: readonly X509Certificate[];
}

/** Whose valid signatures a program carries; none for what is no program. */
export function signersOf(image: Buffer): readonly ImageSigner[] {
  const hash = imageHash(image);
  if (hash === undefined) return [];
  return (signaturesIn(image) ?? []).flatMap((signature) => {
    try {
      return signersOfHash(signature, hash) ?? [];
    } catch {
      // Keys and certificates of kinds that nothing here can use.
      return [];
    }
  });
}

/** What keys firmware has: what it starts, and what it never does. */
export interface KeyRing {
  readonly allowed: SignatureList;
  readonly forbidden: SignatureList;
}

/** Undefined when firmware with these keys starts the program; otherwise why not. */
export function whyRefused(image: Buffer, { allowed, forbidden }: KeyRing): string | undefined {
  const hash = imageHash(image);
  if (hash === undefined) return "it is no program";
  const known = (list: SignatureList): boolean => list.hashes.some((each) => each.equals(hash));
  if (known(forbidden)) return "the machine’s list of forbidden programs holds it";
  if (known(allowed)) return undefined;
  const signers = signersOf(image);
  if (signers.length === 0) {
    const carried = signaturesIn(image)?.length ?? 0;
    return carried === 0 ? "it is not signed" : "its signature is not one of these bytes";
  }
  const allowing = signers.filter(({ chain }) => chain.some((one) => leadsTo(one, allowed.certificates)));
  if (allowing.length === 0) {
    const names = signers.map(({ certificate }) => certificate.subject.replaceAll("\n", ", "));
    return `the machine knows no key of its signer, ${names.join("; ")}`;
  }
  if (allowing.every(({ chain }) => chain.some((one) => leadsTo(one, forbidden.certificates))))
    return "the machine’s list of forbidden keys holds its signer";
  return undefined;
}

function leadsTo(certificate: X509Certificate, known: readonly X509Certificate[]): boolean {
  return known.some(
    (one) =>
      one.raw.equals(certificate.raw) || (certificate.checkIssued(one) && certificate.verify(one.publicKey)),
  );
}

/** Undefined when the signature is not one over this hash. */
function signersOfHash(signature: Buffer, hash: Buffer): readonly ImageSigner[] | undefined {
  // The table pads its entries.
  const [kind, wrapped] = inside(elementAt(signature)) ?? [];
  if (kind === undefined || !kind.whole.equals(ids.signedData)) return undefined;
  const fields = inside(inside(wrapped)?.[0]);
  const [, , encapsulated, ...rest] = fields ?? [];
  const [contentType, content] = inside(encapsulated) ?? [];
  const indirect = inside(content)?.[0];
  if (contentType === undefined || !contentType.whole.equals(ids.indirectData) || indirect === undefined)
    return undefined;
  const [method, digest] = inside(inside(indirect)?.[1]) ?? [];
  if (!usesSha256(method) || digest?.tag !== tags.octets || !digest.content.equals(hash)) return undefined;
  const chain = certificatesOf(rest.find(({ tag }) => tag === inContext(0)));
  const infos = inside(rest.find(({ tag }) => tag === tags.set));
  if (chain === undefined || infos === undefined) return undefined;
  return infos.flatMap((info) => {
    const certificate = signerOf(info, indirect.content, chain);
    return certificate === undefined ? [] : [{ certificate, chain }];
  });
}

/** The certificate of a signature that holds; undefined otherwise. */
function signerOf(
  info: Element,
  content: Buffer,
  chain: readonly X509Certificate[],
): X509Certificate | undefined {
  const [, name, method, attributes, , signature] = inside(info) ?? [];
  if (name === undefined || attributes?.tag !== inContext(0) || signature?.tag !== tags.octets)
    return undefined;
  if (!usesSha256(method)) return undefined;
  const certificate = chain.find(({ raw }) => issuerAndSerial(raw).equals(name.whole));
  const attribute = inside(attributes)?.find(({ content: bytes }) =>
    bytes.subarray(0, ids.messageDigest.length).equals(ids.messageDigest),
  );
  const told = inside(inside(attribute)?.[1])?.[0]?.content;
  const real = createHash("sha256").update(content).digest();
  if (certificate === undefined || told === undefined || !real.equals(told)) return undefined;
  const signed = Buffer.from(attributes.whole);
  signed[0] = tags.set;
  return verify("sha256", signed, certificate.publicKey, signature.content) ? certificate : undefined;
}

function certificatesOf(element: Element | undefined): readonly X509Certificate[] | undefined {
  try {
    return inside(element)?.map(({ whole }) => new X509Certificate(whole));
  } catch {
    return undefined;
  }
}

function usesSha256(method: Element | undefined): boolean {
  return inside(method)?.[0]?.whole.equals(ids.sha256) === true;
}

function inside(element: Element | undefined): readonly Element[] | undefined {
  return element === undefined ? undefined : elements(element.content);
}
