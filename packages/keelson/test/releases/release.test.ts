import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { rememberRelease } from "../../src/releases/machine.ts";
import { releaseEnvelope, verifyRelease } from "../../src/releases/release.ts";
import { writeEnvelope } from "../../src/releases/envelope.ts";
import type { Verdict } from "../../src/releases/refusal.ts";
import { accepted } from "../../src/releases/refusal.ts";
import { verifyDowngrade } from "../../src/releases/downgrade.ts";
import {
  about,
  day,
  keys,
  makeDowngrade,
  makeManifest,
  makePointer,
  makeRoot,
  newKey,
  now,
  root,
  signedDowngrade,
  signedRelease,
} from "./ceremony.ts";

const codeOf = (verdict: Verdict<unknown>): string => (verdict.accepted ? "accepted" : verdict.refusal.code);

describe("a release", () => {
  test("is accepted when enough release keys signed, and all of it fits", () => {
    const manifest = makeManifest();
    const facts = accepted(verifyRelease(signedRelease(manifest), { ...about, pointer: makePointer() }));
    assert.deepEqual(facts.manifest, manifest);
    assert.equal(facts.age, "newer");
    assert.equal(facts.signers.length, 2);
  });

  test("needs as many release keys as the root says; other keys and roles count for nothing", () => {
    const manifest = makeManifest();
    assert.equal(codeOf(verifyRelease(writeEnvelope(releaseEnvelope(manifest)), about)), "KEEL-822");
    for (const by of [
      [keys.release[0]],
      [keys.release[0], newKey()],
      [...keys.root, ...keys.channel, keys.release[2]],
    ])
      assert.equal(codeOf(verifyRelease(signedRelease(manifest, by), about)), "KEEL-822");
    const both = signedRelease(manifest, [newKey(), keys.release[2], keys.release[0]]);
    assert.equal(codeOf(verifyRelease(both, about)), "accepted");
  });

  test("is refused after it expired, before it was made, and by a root that expired", () => {
    const bytes = signedRelease();
    assert.equal(codeOf(verifyRelease(bytes, { ...about, now: now + 90 * day })), "KEEL-823");
    assert.equal(codeOf(verifyRelease(bytes, { ...about, now: now + 90 * day - 1 })), "accepted");
    assert.equal(codeOf(verifyRelease(bytes, { ...about, now: now - 3 * day })), "KEEL-835");
    const trust = makeRoot({ expires: now });
    assert.equal(codeOf(verifyRelease(bytes, { ...about, trust })), "KEEL-823");
  });

  test("of another variant or architecture is refused", () => {
    for (const change of [{ variant: "metal" }, { architecture: "arm64" }] as const)
      assert.equal(codeOf(verifyRelease(signedRelease(makeManifest(change)), about)), "KEEL-827");
    const machine = { ...about.machine, product: "another-os" };
    assert.equal(codeOf(verifyRelease(signedRelease(), { ...about, machine })), "KEEL-827");
  });

  test("that is older than what runs, or than what once ran, is refused", () => {
    const old = signedRelease(makeManifest({ version: "0.9.9" }));
    assert.equal(codeOf(verifyRelease(old, about)), "KEEL-825");
    const memory = rememberRelease(about.memory, { epoch: 1, version: "1.2.0" });
    assert.equal(codeOf(verifyRelease(signedRelease(), { ...about, memory })), "KEEL-825");
    const same = signedRelease(makeManifest({ version: "1.0.0", deltas: undefined }));
    assert.equal(accepted(verifyRelease(same, about)).age, "same");
  });

  test("of an older epoch is refused, however high its version", () => {
    const old = signedRelease(makeManifest({ version: "9.0.0", epoch: 0 }));
    assert.equal(codeOf(verifyRelease(old, about)), "KEEL-826");
    const fresh = signedRelease(makeManifest({ version: "0.1.0", epoch: 2 }));
    assert.equal(accepted(verifyRelease(fresh, about)).age, "newer");
  });

  test("of an epoch that the root does not allow is refused: nobody can run ahead of the root", () => {
    assert.equal(codeOf(verifyRelease(signedRelease(makeManifest({ epoch: 11 })), about)), "KEEL-826");
    const trust = makeRoot({ epoch: { least: 2, most: 5 } });
    assert.equal(codeOf(verifyRelease(signedRelease(), { ...about, trust })), "KEEL-826");
  });

  test("that another version must come before is refused", () => {
    const manifest = makeManifest({ from: "1.0.1" });
    assert.equal(codeOf(verifyRelease(signedRelease(manifest), about)), "KEEL-831");
    const machine = { ...about.machine, version: "1.0.1" };
    assert.equal(codeOf(verifyRelease(signedRelease(manifest), { ...about, machine })), "accepted");
  });

  test("that is not the one that the channel names is refused", () => {
    const other = makeManifest({ notes: "another build of the same version" });
    const pointer = makePointer();
    assert.equal(codeOf(verifyRelease(signedRelease(other), { ...about, pointer })), "KEEL-828");
    const lying = makePointer({ version: "1.3.0" });
    assert.equal(codeOf(verifyRelease(signedRelease(), { ...about, pointer: lying })), "KEEL-828");
  });

  test("may be older with a leave for exactly it", () => {
    const old = makeManifest({ version: "0.9.0", epoch: 0 });
    const leave = accepted(verifyDowngrade(signedDowngrade(makeDowngrade(old)), about));
    assert.equal(accepted(verifyRelease(signedRelease(old), { ...about, downgrade: leave })).age, "older");
    const another = makeManifest({ version: "0.9.1", epoch: 0 });
    assert.equal(codeOf(verifyRelease(signedRelease(another), { ...about, downgrade: leave })), "KEEL-826");
  });
});

describe("a leave to go back", () => {
  const old = makeManifest({ version: "0.9.0" });

  test("is signed by the release role; the online key cannot", () => {
    assert.equal(
      codeOf(verifyDowngrade(signedDowngrade(makeDowngrade(old), keys.channel), about)),
      "KEEL-822",
    );
    assert.equal(
      codeOf(verifyDowngrade(signedDowngrade(makeDowngrade(old), [keys.release[1]]), about)),
      "KEEL-822",
    );
  });

  test("expires, and is for one product, variant and architecture", () => {
    const bytes = signedDowngrade(makeDowngrade(old));
    assert.equal(codeOf(verifyDowngrade(bytes, about)), "accepted");
    assert.equal(codeOf(verifyDowngrade(bytes, { ...about, now: now + 14 * day })), "KEEL-823");
    assert.equal(codeOf(verifyDowngrade(bytes, { ...about, now: now - 2 * day })), "KEEL-835");
    const metal = signedDowngrade(makeDowngrade(old, { variant: "metal" }));
    assert.equal(codeOf(verifyDowngrade(metal, about)), "KEEL-827");
  });

  test("does not pass for a manifest, nor a manifest for it", () => {
    assert.equal(codeOf(verifyRelease(signedDowngrade(makeDowngrade(old)), about)), "KEEL-821");
    assert.equal(codeOf(verifyDowngrade(signedRelease(old), { ...about, trust: root })), "KEEL-821");
  });
});
