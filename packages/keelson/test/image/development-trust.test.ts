import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { developmentTrust } from "../../src/image/development-trust.ts";
import { accepted } from "../../src/releases/refusal.ts";
import { verifyManifest } from "../../src/releases/release.ts";
import { openRoot } from "../../src/releases/root.ts";
import { now, signedRelease } from "../releases/ceremony.ts";

test("a host’s root for development is made once, says what it is, and its key signs releases", async () => {
  const cacheDirectory = await mkdtemp(join(tmpdir(), "keel-trust-"));
  try {
    const trust = await developmentTrust({ now, cacheDirectory });
    assert.deepEqual(await developmentTrust({ now: now + 9, cacheDirectory }), trust);
    assert.equal((await stat(trust.key)).mode & 0o777, 0o600);
    const root = accepted(openRoot(await readFile(trust.root)));
    assert.deepEqual([root.purpose, root.created], ["development", now]);
    const bytes = signedRelease(undefined, [createPrivateKey(await readFile(trust.key))]);
    assert.equal(accepted(verifyManifest(bytes, { trust: root, now })).signers.length, 1);
  } finally {
    await rm(cacheDirectory, { recursive: true, force: true });
  }
});
