// `keel os keys secure-boot`: the three keys of machines with Secure Boot, and the files that bring them there.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { selfSigned } from "../../../../secure-boot/certificate.ts";
import { keyVariables, makeEnrolment } from "../../../../secure-boot/enrolment.ts";
import type { Signer } from "../../../../secure-boot/sign.ts";
import type { KeyVariable } from "../../../../secure-boot/variables.ts";
import { writeNew, writePrivateKey } from "./key-file.ts";

export interface SecureBootKeysOptions {
  /** Whose machines; stands in the certificates, which everybody may read. */
  readonly name: string;
  /** Seconds since 1970. */
  readonly now: number;
  readonly days: number;
  readonly passphrase: string | undefined;
}

/** Every firmware knows RSA keys of this size; larger ones are not known everywhere. */
const bits = 2048;

/**
 * Writes NAME.key, NAME.pem and NAME.auth for PK, KEK and db, and db.cer for menus of firmware that take no other form.
 * Resolves with the files. Throws KEEL-834 when one is there.
 */
export async function makeSecureBootKeys(
  folder: string,
  options: SecureBootKeysOptions,
): Promise<readonly string[]> {
  const { name, now, days, passphrase } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const made = (variable: KeyVariable): Signer => {
    const key: KeyObject = generateKeyPairSync("rsa", { modulusLength: bits }).privateKey;
    const facts = { commonName: `${name} ${variable}`, from: now, until: now + days * 86_400 };
    return { key, certificate: selfSigned(key, facts) };
  };
  const signers = { PK: made("PK"), KEK: made("KEK"), db: made("db") };
  const written: string[] = [];
  for (const variable of keyVariables) {
    const { key, certificate } = signers[variable];
    await writePrivateKey(join(folder, `${variable}.key`), key, passphrase);
    await writeNew(join(folder, `${variable}.pem`), certificate.toString());
    await writeNew(join(folder, `${variable}.cer`), certificate.raw);
    written.push(`${variable}.key`, `${variable}.pem`, `${variable}.cer`);
  }
  for (const [file, bytes] of makeEnrolment(signers, { owner: randomUUID(), seconds: now })) {
    await writeNew(join(folder, file), bytes);
    written.push(file);
  }
  return written.map((file) => join(folder, file));
}
