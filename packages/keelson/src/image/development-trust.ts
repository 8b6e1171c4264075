// The root of trust of images that nobody named one for: made once on this host, with one key for every role that
// lies beside it. It says that it is for development, and so does every command that shows it.
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ContentCache } from "../local/tree/content-cache.ts";
import { defaultCacheDirectory } from "../local/tree/machine-tree.ts";
import { publicKeyOf, signEnvelope, writeEnvelope } from "../releases/envelope.ts";
import { accepted } from "../releases/refusal.ts";
import { openRoot, rootEnvelope } from "../releases/root.ts";
import type { Root } from "../releases/root.ts";

export interface DevelopmentTrust {
  /** The signed root, for `keel os build --trust` and `keel os release verify --trust`. */
  readonly root: string;
  /** A private key, not encrypted, only for its owner: it signs roots, releases and channels. */
  readonly key: string;
}

/** Ten years: nothing guards these keys, so nothing is won by an earlier end. */
const lifetime = 3650 * 86_400;

/** Made when it is not there. `now` in seconds since 1970. */
export async function developmentTrust(options: {
  readonly now: number;
  readonly cacheDirectory?: string;
}): Promise<DevelopmentTrust> {
  const cache = new ContentCache(options.cacheDirectory ?? defaultCacheDirectory);
  const folder = await cache.entry("development-trust", "1", async (target) => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const pem = String(privateKey.export({ type: "pkcs8", format: "pem" }));
    await writeFile(join(target, "key.pem"), pem, { mode: 0o600 });
    const key = publicKeyOf(createPrivateKey(pem));
    const role = { keys: [key.id], threshold: 1 };
    const root: Root = {
      schema: 1,
      products: ["keelson-os"],
      version: 1,
      purpose: "development",
      created: options.now,
      expires: options.now + lifetime,
      keys: [{ ...key, name: "development" }],
      roles: { root: role, release: role, channel: role },
      generation: 0,
      epoch: { least: 0, most: 16 },
    };
    await writeFile(join(target, "root.json"), writeEnvelope(signEnvelope(rootEnvelope(root), privateKey)));
  });
  const trust = { root: join(folder, "root.json"), key: join(folder, "key.pem") };
  accepted(openRoot(await readFile(trust.root)));
  return trust;
}
