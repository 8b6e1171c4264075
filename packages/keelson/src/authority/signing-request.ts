// A certificate signing request: a public key, and the proof that who asks has the private one.
import type { KeyObject } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openssl, withScratch } from "./openssl.ts";

const settings = `[req]
prompt = no
distinguished_name = subject
[subject]
CN = requested
`;

/**
 * The request for a key, in PEM. It asks for no name: the authority decides for whom it signs. `folder` is a
 * private one on disk, for the time of the call.
 */
export function signingRequest(key: KeyObject, folder: string): Promise<string> {
  return withScratch(folder, async (scratch) => {
    const pem = key.export({ type: "pkcs8", format: "pem" }) as string;
    await writeFile(join(scratch, "key"), pem, { mode: 0o600 });
    await writeFile(join(scratch, "settings"), settings);
    return openssl(scratch, ["req", "-new", "-sha256", "-key", "key", "-config", "settings"]);
  });
}
