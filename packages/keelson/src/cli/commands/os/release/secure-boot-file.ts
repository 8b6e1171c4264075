// Secure Boot's keys and certificates in files, checked before anything is built with them: a mistake here is found by
// firmware otherwise, on a machine that does not start.
import { createPublicKey, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describeError, KeelError } from "../../../../base/errors.ts";
import { enrolmentFile, keyVariables, readEnrolled } from "../../../../secure-boot/enrolment.ts";
import type { Signer } from "../../../../secure-boot/sign.ts";
import type { Invocation } from "../../../invocation.ts";
import { readPrivateKey, readSmall } from "./key-file.ts";

export interface SignerOptions {
  readonly signKey?: string;
  readonly signCertificate?: string;
  readonly signPassphraseFile?: string;
}

/** What every firmware can verify. */
const leastBits = 2048;
const mostBits = 4096;
const mostEnrolmentBytes = 64 << 10;

/** Undefined unless `--sign-key` is given. Throws KEEL-104, KEEL-341 and KEEL-833. */
export async function readSigner(keel: Invocation, options: SignerOptions): Promise<Signer | undefined> {
  const { signKey, signCertificate, signPassphraseFile } = options;
  if ((signKey === undefined) !== (signCertificate === undefined))
    throw new KeelError("KEEL-104", "--sign-key and --sign-certificate belong together");
  if (signKey === undefined || signCertificate === undefined) {
    if (signPassphraseFile === undefined) return undefined;
    throw new KeelError("KEEL-104", "--sign-passphrase-file is for --sign-key");
  }
  const path = (word: string): string => resolve(keel.terminal.cwd, word);
  const certificate = await readCertificate(path(signCertificate));
  const key = await readPrivateKey(keel, path(signKey), signPassphraseFile);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== "rsa" || bits < leastBits || bits > mostBits)
    throw new KeelError("KEEL-341", `${signKey} is no RSA key of ${leastBits} to ${mostBits} bits`, {
      hint: "firmware knows no others; `keel os keys secure-boot` makes one",
    });
  if (!certificate.checkPrivateKey(key))
    throw new KeelError("KEEL-341", `${signCertificate} is not the certificate of ${signKey}`, {
      hint: `it is of “${certificate.subject.replaceAll("\n", ", ")}”, and of another key`,
    });
  return { key, certificate };
}

/** A certificate, PEM. Throws KEEL-341. */
async function readCertificate(file: string): Promise<X509Certificate> {
  const text = await readSmall(file).catch((cause: unknown) => {
    throw new KeelError("KEEL-341", describeError(cause), { cause });
  });
  if (text.includes("PRIVATE KEY-----"))
    throw new KeelError("KEEL-341", `${file} holds a private key, not a certificate`, {
      hint: "--sign-key FILE.key --sign-certificate FILE.pem",
    });
  if (!text.includes("-----BEGIN CERTIFICATE-----"))
    throw new KeelError("KEEL-341", `${file} is no certificate in PEM form`, {
      hint: `openssl x509 -inform der -in ${file} -out FILE.pem`,
    });
  try {
    const certificate = new X509Certificate(text);
    createPublicKey(certificate.toString());
    return certificate;
  } catch (cause) {
    throw new KeelError("KEEL-341", `${file} holds no certificate that can be read`, { cause });
  }
}

/**
 * The folder's files that give empty firmware its keys. Throws KEEL-342 when one is missing, is no such file, or when
 * firmware that takes them would not start what the signer signs.
 */
export async function readEnrolment(
  folder: string,
  signer: Signer,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Buffer>();
  for (const name of keyVariables) {
    const path = join(folder, enrolmentFile(name));
    const bytes = await readBounded(path);
    const enrolled = readEnrolled(bytes);
    if (enrolled === undefined || enrolled.certificates.length === 0)
      throw new KeelError("KEEL-342", `${path} sets no certificate`, {
        hint: "`keel os keys secure-boot` makes it; sign-efi-sig-list does, too",
      });
    const isSigner = (one: X509Certificate): boolean =>
      one.raw.equals(signer.certificate.raw) || signer.certificate.checkIssued(one);
    if (name === "db" && !enrolled.certificates.some(isSigner))
      throw new KeelError("KEEL-342", `${path} does not hold the certificate that the build is signed by`, {
        hint: "a machine with these keys would not start the build",
      });
    files.set(enrolmentFile(name), bytes);
  }
  return files;
}

async function readBounded(path: string): Promise<Buffer> {
  try {
    if ((await stat(path)).size > mostEnrolmentBytes) throw new Error("it is too large for a key");
    return await readFile(path);
  } catch (cause) {
    throw new KeelError("KEEL-342", `${path} cannot be read: ${describeError(cause)}`, { cause });
  }
}
