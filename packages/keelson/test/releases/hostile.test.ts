// Whatever the bytes are: a verdict, never another error, and never `accepted` for what was not signed.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { verifyChannel } from "../../src/releases/channel.ts";
import { verifyDowngrade } from "../../src/releases/downgrade.ts";
import { documentKinds, signEnvelope, writeEnvelope } from "../../src/releases/envelope.ts";
import type { DocumentKind } from "../../src/releases/envelope.ts";
import { checkFile } from "../../src/releases/file-check.ts";
import { parseMemory } from "../../src/releases/machine.ts";
import type { Verdict } from "../../src/releases/refusal.ts";
import { verifyRelease } from "../../src/releases/release.ts";
import { followRoots, openRoot, verifyRoot } from "../../src/releases/root.ts";
import { about, flipped, keys, makeDowngrade, makeManifest, makeRoot, now, root } from "./ceremony.ts";
import { signedDowngrade, signedPointer, signedRelease, signedRoot } from "./ceremony.ts";

const codeOf = (verdict: Verdict<unknown>): string => (verdict.accepted ? "accepted" : verdict.refusal.code);

const documents: Readonly<
  Record<
    DocumentKind,
    { readonly bytes: Uint8Array; readonly verify: (bytes: Uint8Array) => Verdict<unknown> }
  >
> = {
  root: {
    bytes: signedRoot(makeRoot({ version: 2 })),
    verify: (bytes) => verifyRoot(bytes, { trust: root, now }),
  },
  channel: {
    bytes: signedPointer(),
    verify: (bytes) => verifyChannel(bytes, { ...about, channel: "stable" }),
  },
  release: { bytes: signedRelease(), verify: (bytes) => verifyRelease(bytes, about) },
  downgrade: {
    bytes: signedDowngrade(makeDowngrade(makeManifest())),
    verify: (bytes) => verifyDowngrade(bytes, about),
  },
};
const kinds = Object.keys(documentKinds) as DocumentKind[];
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
/** Signed, so that only the form of the payload can be at fault. */
const signedPayload = (payload: string): Uint8Array =>
  writeEnvelope(
    keys.release
      .slice(0, 2)
      .reduce(signEnvelope, { kind: "release", payload: Buffer.from(payload), signatures: [] }),
  );

for (const kind of kinds)
  describe(`a ${kind} file`, () => {
    const { bytes, verify } = documents[kind];

    test("is accepted as it is", () => assert.equal(codeOf(verify(bytes)), "accepted"));

    test("with any bit turned is refused", () => {
      fc.assert(
        fc.property(fc.nat(bytes.byteLength * 8 - 1), (bit) => {
          assert.notEqual(codeOf(verify(flipped(bytes, bit))), "accepted");
        }),
        { numRuns: 400 },
      );
    });

    test("cut off, doubled, or followed by anything is refused", () => {
      for (let end = 0; end < bytes.byteLength - 1; end += 97)
        assert.equal(codeOf(verify(bytes.subarray(0, end))), "KEEL-821");
      for (const more of ["\n", " ", "{}", "\0", text(bytes)])
        assert.equal(codeOf(verify(Buffer.from(text(bytes) + more))), "KEEL-821");
    });

    test("of garbage, of JSON, and of JSON nearly right is refused with a reason", () => {
      const nearly = fc
        .tuple(fc.constantFrom("payloadType", "payload", "signatures"), fc.jsonValue())
        .map(([name, value]) => JSON.stringify({ ...(JSON.parse(text(bytes)) as object), [name]: value }));
      const input = fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.string({ unit: "binary" }).map((words) => Buffer.from(words)),
        fc.json().map((words) => Buffer.from(words)),
        nearly.map((words) => Buffer.from(words)),
      );
      fc.assert(
        fc.property(input, (any) => {
          const verdict = verify(any);
          assert.ok(
            !verdict.accepted && /^KEEL-8\d\d$/.test(verdict.refusal.code) && verdict.refusal.reason !== "",
          );
        }),
        { numRuns: 300 },
      );
    });

    test("of another kind is refused, although its keys are the right ones", () => {
      for (const other of kinds)
        if (other !== kind) assert.equal(codeOf(verify(documents[other].bytes)), "KEEL-821");
    });

    test("without bounds is refused by its size alone: endless data", () => {
      const { limit } = documentKinds[kind];
      assert.equal(codeOf(verify(Buffer.alloc(limit + 1, " "))), "KEEL-821");
      assert.equal(codeOf(verify(Buffer.from("[".repeat(limit)))), "KEEL-821");
    });

    test("with a key twice, a blank, a mark, or another spelling is refused", () => {
      const plain = text(bytes);
      const variants = [
        plain.replace('"payload":', '"payload":"","payload":'),
        plain.replace('"payload":', '"payload": '),
        plain.replace('"payload":', String.raw`"\u0070ayload":`),
        plain.replace('{"payloadType"', '{"__proto__":{},"payloadType"'),
        `\ufeff${plain}`,
        plain.replace(/"keyid":"([0-9a-f]+)"/, (_, id: string) => `"keyid":"${id.toUpperCase()}"`),
        plain.replace('"sig":"', '"sig":" '),
        plain.replace('=="}', '="}'),
      ];
      for (const variant of variants) {
        assert.notEqual(variant, plain);
        assert.notEqual(codeOf(verify(Buffer.from(variant))), "accepted");
      }
    });
  });

describe("a payload that was signed", () => {
  const plain = JSON.stringify(makeManifest());
  const verdictOf = (payload: string): string => codeOf(verifyRelease(signedPayload(payload), about));

  test("is read in one way only", () => {
    assert.equal(verdictOf(plain), "accepted");
    for (const payload of [
      plain.replace('"version":"1.1.0"', '"version":"0.1.0","version":"1.1.0"'),
      plain.replace('"epoch":1', '"epoch":1.0'),
      plain.replace('"epoch":1', '"epoch":1e0'),
      plain.replace('"schema"', String.raw`"\u0073chema"`),
      `${plain} `,
      `${plain}{}`,
      `\ufeff${plain}`,
      plain.replace("{", '{"__proto__":{"epoch":9},'),
      plain.replace("{", '{"extra":1,'),
      "null",
      "[]",
      "",
    ])
      assert.equal(verdictOf(payload), "KEEL-821", payload.slice(0, 60));
  });

  test("with tricks of Unicode or of names is refused", () => {
    const withValue = (change: object): string => verdictOf(JSON.stringify({ ...makeManifest(), ...change }));
    const { root: image } = makeManifest();
    for (const change of [
      { version: "1.1.\u0660" },
      { version: "01.1.0" },
      { version: "1.1.0\n" },
      { product: "keels\u043en-os" },
      { notes: "good\u202eevil" },
      { notes: "a\u0000b" },
      { notes: "\ud800" },
      { epoch: -1 },
      { epoch: 2 ** 53 },
      { root: { ...image, name: "../../etc/passwd" } },
      { root: { ...image, name: "keelson_1.1.0_metal_amd64.root.zst" } },
      { root: { ...image, size: 2 ** 40 } },
      { root: { ...image, unpacked: { size: 2 ** 31, sha256: image.sha256 } } },
      { root: { ...image, size: 10 } },
    ])
      assert.equal(withValue(change), "KEEL-821", JSON.stringify(change));
    assert.equal(withValue({ notes: "Grüße 👋\nzwei" }), "accepted");
  });
});

describe("a file of a release", () => {
  const file = {
    name: "a",
    size: 4,
    sha256: "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589",
  };

  test("passes when it is what was signed", () => {
    const check = checkFile(file);
    check.add(Buffer.from("ab"));
    check.add(Buffer.from("cd"));
    check.finish();
    assert.equal(check.received, 4);
  });

  test("is cut off at the byte that is too much, ends too early, or differs", () => {
    const endless = checkFile(file);
    endless.add(Buffer.from("abcd"));
    assert.throws(() => endless.add(Buffer.from("e")), { code: "KEEL-836" });
    const short = checkFile(file);
    short.add(Buffer.from("abc"));
    assert.throws(() => short.finish(), { code: "KEEL-828" });
    const other = checkFile(file);
    other.add(Buffer.from("abce"));
    assert.throws(() => other.finish(), { code: "KEEL-828" });
  });
});

test("roots and memories of garbage are refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.json(), (bytes, json) => {
      for (const any of [bytes, Buffer.from(json)]) {
        assert.notEqual(codeOf(openRoot(any)), "accepted");
        assert.notEqual(codeOf(parseMemory(any)), "accepted");
        const chain = followRoots(signedRoot(root), [any], now);
        assert.ok(chain.accepted && chain.facts.root.version === 1 && chain.facts.broken !== undefined);
      }
    }),
    { numRuns: 40 },
  );
});
