// A machine's own key: made here, kept in a file that only root reads, and never sent anywhere.
import { createPrivateKey, generateKeyPair } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { KeelError } from "../base/errors.ts";

const generate = promisify(generateKeyPair);

/** The P-256 key in a file, made when it is not there. Throws KEEL-411 when the file holds something else. */
export async function keepPrivateKey(path: string): Promise<KeyObject> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return makePrivateKey(path);
  try {
    return createPrivateKey(text);
  } catch (cause) {
    throw new KeelError("KEEL-411", `${path} holds no private key`, {
      cause,
      hint: "move it away; another one is made",
    });
  }
}

async function makePrivateKey(path: string): Promise<KeyObject> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const { privateKey } = await generate("ec", { namedCurve: "P-256" });
  await writeSecret(path, privateKey.export({ type: "pkcs8", format: "pem" }) as string);
  return privateKey;
}

/** Puts a file in place that only its owner reads, on disk before it has its name. */
export async function writeSecret(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.new`;
  const file = await open(fresh, "w", 0o600);
  try {
    // The file may have been there with another mode.
    await file.chmod(0o600);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
}
