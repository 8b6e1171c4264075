// Signed documents in files: read with bounds, changed as a whole or not at all.
import { open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { describeError, KeelError } from "../../../../base/errors.ts";
import {
  documentKinds,
  mergeEnvelopes,
  readEnvelope,
  shortId,
  signEnvelope,
} from "../../../../releases/envelope.ts";
import { writeEnvelope } from "../../../../releases/envelope.ts";
import type { DocumentKind, Envelope } from "../../../../releases/envelope.ts";
import { rootFileName, trustPaths } from "../../../../releases/machine.ts";
import { accepted, judge } from "../../../../releases/refusal.ts";
import { followRoots, openRoot } from "../../../../releases/root.ts";
import type { Root } from "../../../../releases/root.ts";
import type { Invocation } from "../../../invocation.ts";
import { signingKeys } from "./key-file.ts";
import type { KeyOptions } from "./key-file.ts";

const mostBytes = Math.max(...Object.values(documentKinds).map(({ limit }) => limit));

/** At most as many bytes as a document may have, and one. Throws KEEL-104. */
export async function readBytes(file: string): Promise<Uint8Array> {
  try {
    await using handle = await open(file, "r");
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(mostBytes + 1), 0, mostBytes + 1, 0);
    return buffer.subarray(0, bytesRead);
  } catch (cause) {
    throw new KeelError("KEEL-104", `${file} cannot be read: ${describeError(cause)}`, { cause });
  }
}

/** Throws KEEL-821. */
export async function readDocument(file: string, kind: DocumentKind): Promise<Envelope> {
  return readEnvelope(await readBytes(file), kind);
}

/** Whatever kind it is. Throws KEEL-821. */
export async function readAnyDocument(file: string): Promise<Envelope> {
  const bytes = await readBytes(file);
  const verdicts = (Object.keys(documentKinds) as DocumentKind[]).map((kind) =>
    judge(() => readEnvelope(bytes, kind)),
  );
  const found = verdicts.find((verdict) => verdict.accepted);
  if (found?.accepted === true) return found.facts;
  throw new KeelError("KEEL-821", `${file} is no document of a release`);
}

/** Replaces the file as a whole. */
export async function writeDocument(file: string, envelope: Envelope): Promise<void> {
  const fresh = `${file}.unfinished`;
  try {
    await rm(fresh, { force: true });
    {
      await using handle = await open(fresh, "wx", 0o644);
      await handle.writeFile(writeEnvelope(envelope));
      await handle.sync();
    }
    await rename(fresh, file);
  } catch (cause) {
    await rm(fresh, { force: true }).catch(() => undefined);
    throw new KeelError("KEEL-104", `${file} cannot be written: ${describeError(cause)}`, { cause });
  }
}

export interface SignOptions extends KeyOptions {
  /** Copies of the document that were signed elsewhere. */
  readonly add?: readonly string[];
}

/** Adds signatures of keys and of copies to a file, and says who has signed now. */
export async function signFile(
  keel: Invocation,
  { file, kind }: { readonly file: string; readonly kind: DocumentKind },
  options: SignOptions,
): Promise<Envelope> {
  const copies = options.add ?? [];
  let envelope = await readDocument(file, kind);
  const others = [];
  for (const copy of copies) others.push(await readDocument(resolve(keel.terminal.cwd, copy), kind));
  envelope = mergeEnvelopes(envelope, others);
  if (copies.length === 0 || options.key !== undefined)
    for (const key of await signingKeys(keel, options)) envelope = signEnvelope(envelope, key);
  await writeDocument(file, envelope);
  const ids = envelope.signatures.map(({ keyid }) => keyid);
  keel.output.document({ path: file, kind, signatures: ids }, () => {
    return `${file}: signed by ${ids.map(shortId).join(", ")}\n`;
  });
  return envelope;
}

/** Signs a new envelope with the keys that were given. */
export async function signNew(keel: Invocation, envelope: Envelope, options: KeyOptions): Promise<Envelope> {
  return (await signingKeys(keel, options)).reduce(signEnvelope, envelope);
}

/**
 * The root to check against: `--trust` with the roots that follow it in its folder, or this machine's own. Throws
 * KEEL-821, 822, 830, and KEEL-104 when there is none.
 */
export async function readTrust(keel: Invocation, trust: string | undefined): Promise<Root> {
  const shipped = trust === undefined ? trustPaths.shipped : resolve(keel.terminal.cwd, trust);
  const folder = trust === undefined ? trustPaths.folder : dirname(shipped);
  const bytes = await readBytes(shipped).catch((cause: unknown) => {
    if (trust !== undefined) throw cause;
    throw new KeelError("KEEL-104", "this machine has no root of trust", {
      cause,
      hint: "--trust root.1.json",
    });
  });
  const first = accepted(openRoot(bytes));
  const names = new Set(await readdir(folder).catch(() => []));
  const later: Uint8Array[] = [];
  for (let version = first.version + 1; names.has(rootFileName(version)); version++)
    if (rootFileName(version) !== basename(shipped))
      later.push(await readBytes(join(folder, rootFileName(version))));
  const { root, broken } = accepted(followRoots(bytes, later, nowOf(keel)));
  if (broken !== undefined)
    keel.terminal.err(`root ${root.version} is the last that can be believed: ${broken.reason}\n`);
  return root;
}

/** Seconds since 1970. */
export function nowOf(keel: Invocation): number {
  return Math.floor(keel.clock.wall() / 1000);
}

/** Ids of the keys that signed, for people. */
export function signersText(ids: readonly string[]): string {
  return ids.length === 0 ? "nobody" : ids.map(shortId).join(", ");
}
