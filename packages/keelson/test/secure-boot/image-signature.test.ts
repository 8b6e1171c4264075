import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { imageHash, signaturesIn } from "../../src/secure-boot/pe-image.ts";
import { signImage } from "../../src/secure-boot/sign.ts";
import type { SignatureList } from "../../src/secure-boot/signature-list.ts";
import { signersOf, whyRefused } from "../../src/secure-boot/verify.ts";
import { newSigner, smallProgram, unsignedPlaces } from "./small-program.ts";

const ours = newSigner("ours");
const theirs = newSigner("theirs");
const nothing: SignatureList = { certificates: [], hashes: [] };
const of = (...certificates: readonly X509Certificate[]): SignatureList => ({ certificates, hashes: [] });
const knowsOurs = { allowed: of(ours.certificate), forbidden: nothing };

describe("a program's signature", () => {
  const signed = signImage(smallProgram(), ours);

  test("names its signer, is always the same, and leaves the program's hash as it was", () => {
    assert.deepEqual(
      signersOf(signed).map(({ certificate }) => certificate.subject),
      ["CN=ours"],
    );
    assert.deepEqual(signImage(smallProgram(), ours), signed);
    assert.equal(signed.length % 8, 0);
    assert.deepEqual(imageHash(signed), imageHash(Buffer.concat([smallProgram(), Buffer.alloc(3)])));
    assert.equal(whyRefused(signed, knowsOurs), undefined);
  });

  test("does not survive a change of any bit that it covers", () => {
    fc.assert(
      fc.property(fc.nat(signed.length - 1), fc.nat(7), (at, bit) => {
        const changed = Buffer.from(signed);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        const isFree = unsignedPlaces.some((place) => at >= place.at && at < place.at + place.bytes);
        const inTable = at >= smallProgram().length + 3;
        if (whyRefused(changed, knowsOurs) === undefined) assert.ok(isFree || inTable, `byte ${at}`);
      }),
      { numRuns: 2000 },
    );
  });

  test("counts only from a signer that the firmware knows and does not forbid", () => {
    const why = (keys: Parameters<typeof whyRefused>[1], image = signed): string | undefined =>
      whyRefused(image, keys);
    assert.match(why({ allowed: of(theirs.certificate), forbidden: nothing }) ?? "", /no key of.*CN=ours/);
    assert.match(why({ allowed: nothing, forbidden: nothing }) ?? "", /no key of/);
    assert.match(why({ ...knowsOurs, forbidden: of(ours.certificate) }) ?? "", /forbidden keys/);
    assert.match(why(knowsOurs, smallProgram()) ?? "", /not signed/);
    const hash = imageHash(signed) ?? Buffer.alloc(0);
    assert.match(why({ ...knowsOurs, forbidden: { certificates: [], hashes: [hash] } }) ?? "", /forbidden/);
    const byHash = { allowed: { certificates: [], hashes: [hash] }, forbidden: nothing };
    assert.equal(why(byHash), undefined);
    const twice = signImage(signed, theirs);
    assert.equal(signaturesIn(twice)?.length, 2);
    assert.equal(why(knowsOurs, twice), undefined);
    assert.equal(why({ allowed: of(theirs.certificate), forbidden: nothing }, twice), undefined);
  });

  test("of another program does not fit", () => {
    const other = smallProgram();
    other[520] = 1;
    const otherSigned = signImage(other, ours);
    const stolen = Buffer.concat([signed.subarray(0, smallProgram().length + 3), otherSigned.subarray(568)]);
    assert.match(whyRefused(stolen, knowsOurs) ?? "", /not one of these bytes/);
  });

  test("is looked for in garbage without harm", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(700), (bytes, at) => {
        const image = Buffer.from(signed);
        image.set(bytes.subarray(0, Math.max(0, image.length - at)), Math.min(at, image.length));
        whyRefused(image, knowsOurs);
        whyRefused(Buffer.from(bytes), knowsOurs);
        whyRefused(signed.subarray(0, at), knowsOurs);
      }),
    );
    assert.throws(() => signImage(Buffer.from("no program"), ours), TypeError);
  });
});
