import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Root } from "../../src/releases/root.ts";
import { followRoots, openRoot, rootEnvelope, verifyRoot } from "../../src/releases/root.ts";
import { mergeEnvelopes, readEnvelope, signEnvelope, writeEnvelope } from "../../src/releases/envelope.ts";
import { accepted } from "../../src/releases/refusal.ts";
import type { Verdict } from "../../src/releases/refusal.ts";
import { verifyRelease } from "../../src/releases/release.ts";
import {
  about,
  keys,
  makeManifest,
  makeRoot,
  newKey,
  now,
  root,
  signedRelease,
  signedRoot,
} from "./ceremony.ts";

const codeOf = (verdict: Verdict<unknown>): string => (verdict.accepted ? "accepted" : verdict.refusal.code);
const trust = { trust: root, now };

/** New keys in every role. */
const fresh = { root: [newKey(), newKey()], release: [newKey(), newKey()], channel: [newKey()] };
const second = makeRoot({ version: 2 }, fresh);

describe("a root", () => {
  test("counts in the image when its own keys signed it", () => {
    assert.deepEqual(accepted(openRoot(signedRoot(root))), root);
    assert.equal(codeOf(openRoot(signedRoot(root, [keys.root[0]]))), "KEEL-822");
    assert.equal(codeOf(openRoot(signedRoot(root, keys.release))), "KEEL-822");
  });

  test("follows when the keys of both roots signed it", () => {
    assert.deepEqual(accepted(verifyRoot(signedRoot(second, [...keys.root, ...fresh.root]), trust)), second);
    for (const by of [
      keys.root,
      fresh.root,
      [keys.root[0], ...fresh.root],
      [...keys.root, fresh.root[0] ?? newKey()],
    ])
      assert.equal(codeOf(verifyRoot(signedRoot(second, by), trust)), "KEEL-822");
  });

  test("follows the one before it and no other", () => {
    for (const version of [1, 3, 100_000])
      assert.equal(codeOf(verifyRoot(signedRoot(makeRoot({ version })), trust)), "KEEL-830");
  });

  test("never lowers the generation or the least epoch, and stays for its purpose", () => {
    const high = makeRoot({ generation: 4, epoch: { least: 3, most: 9 } });
    const next = (change: Partial<Root>): string =>
      codeOf(verifyRoot(signedRoot(makeRoot({ ...high, version: 2, ...change })), { trust: high, now }));
    assert.equal(next({}), "accepted");
    assert.equal(next({ generation: 3 }), "KEEL-830");
    assert.equal(next({ epoch: { least: 2, most: 9 } }), "KEEL-830");
    assert.equal(next({ purpose: "development" }), "KEEL-830");
    assert.equal(next({ created: now + 2 * 86_400 }), "KEEL-835");
  });

  test("whose keys or thresholds make no sense is refused", () => {
    const { release } = root.roles;
    const [first, ...rest] = root.keys;
    assert.ok(first);
    const wrong: readonly Partial<Root>[] = [
      { roles: { ...root.roles, release: { ...release, threshold: 4 } } },
      {
        roles: {
          ...root.roles,
          release: { ...release, keys: [...release.keys.slice(0, 2), release.keys[0] ?? ""] },
        },
      },
      { keys: rest },
      { keys: [...root.keys, first] },
      { keys: [{ ...first, public: rest[0]?.public ?? "" }, ...rest] },
      { expires: root.created },
      { epoch: { least: 3, most: 2 } },
      { generation: 2 ** 40 },
    ];
    for (const change of wrong) assert.equal(codeOf(openRoot(signedRoot(makeRoot(change)))), "KEEL-821");
  });

  test("signatures are added on different machines, in any order, and merged", () => {
    const plain = rootEnvelope(root);
    const [one, two] = keys.root.map((key) => signEnvelope(plain, key));
    assert.ok(one && two);
    const merged = writeEnvelope(mergeEnvelopes(one, [two]));
    assert.deepEqual(merged, signedRoot(root));
    assert.deepEqual(merged, writeEnvelope(mergeEnvelopes(two, [one, plain])));
    assert.throws(() => mergeEnvelopes(one, [rootEnvelope(second)]), { code: "KEEL-828" });
    assert.equal(readEnvelope(merged, "root").signatures.length, 2);
  });
});

describe("a chain of roots", () => {
  const shipped = signedRoot(root);
  const two = signedRoot(second, [...keys.root, ...fresh.root]);
  const three = signedRoot(makeRoot({ version: 3 }, fresh), fresh.root);

  test("leads from the image’s to the newest", () => {
    assert.equal(accepted(followRoots(shipped, [shipped, two, three], now)).root.version, 3);
    assert.equal(accepted(followRoots(two, [shipped, two, three], now)).root.version, 3);
    assert.equal(accepted(followRoots(three, [shipped, two], now)).root.version, 3);
  });

  test("ends where it is broken, and says why", () => {
    const forged = signedRoot(makeRoot({ version: 2 }, { ...fresh, root: [newKey()] }), [newKey()]);
    for (const later of [[three], [forged, three], [two.subarray(0, 99), three]]) {
      const { root: last, broken } = accepted(followRoots(shipped, later, now));
      assert.equal(last.version, 1);
      assert.ok(broken !== undefined);
    }
  });

  test("keys that were rotated out sign nothing any more; those that came in do", () => {
    const { root: last } = accepted(followRoots(shipped, [two], now));
    assert.equal(codeOf(verifyRelease(signedRelease(), { ...about, trust: last })), "KEEL-822");
    const bytes = signedRelease(makeManifest(), fresh.release);
    assert.equal(codeOf(verifyRelease(bytes, { ...about, trust: last })), "accepted");
    assert.equal(codeOf(verifyRelease(bytes, about)), "KEEL-822");
  });
});
