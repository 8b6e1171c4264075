import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { staleSince, verifyChannel } from "../../src/releases/channel.ts";
import type { ChannelPointer } from "../../src/releases/channel.ts";
import { verifyDowngrade } from "../../src/releases/downgrade.ts";
import { encodeMemory, emptyMemory, parseMemory, rememberPointer } from "../../src/releases/machine.ts";
import type { Circumstances, Memory } from "../../src/releases/machine.ts";
import { accepted } from "../../src/releases/refusal.ts";
import type { Verdict } from "../../src/releases/refusal.ts";
import { about, day, keys, makeDowngrade, makeManifest, makePointer, makeRoot } from "./ceremony.ts";
import { newKey, now, signedDowngrade, signedPointer } from "./ceremony.ts";

const codeOf = (verdict: Verdict<unknown>): string => (verdict.accepted ? "accepted" : verdict.refusal.code);
const stable: Circumstances & { readonly channel: string } = { ...about, channel: "stable" };

/** What a machine remembers after it has seen a pointer. */
function after(pointer: ChannelPointer, trust = about.trust): Memory {
  const { seen } = accepted(verifyChannel(signedPointer(pointer), { ...stable, trust }));
  return rememberPointer(emptyMemory, { channel: pointer.channel, variant: pointer.variant, pointer: seen });
}

describe("a channel’s pointer", () => {
  test("is accepted when the channel key signed it", () => {
    const { pointer, staleSince: stale } = accepted(verifyChannel(signedPointer(), stable));
    assert.equal(pointer.version, "1.1.0");
    assert.equal(stale, undefined);
  });

  test("signed by a key that is not the channel’s is refused, release keys too", () => {
    for (const by of [[newKey()], keys.release, keys.root, []])
      assert.equal(codeOf(verifyChannel(signedPointer(makePointer(), by), stable)), "KEEL-822");
  });

  test("of another channel, variant or architecture is refused", () => {
    const wrong: readonly Partial<ChannelPointer>[] = [
      { channel: "beta" },
      { variant: "metal" },
      { architecture: "arm64" },
    ];
    for (const change of wrong)
      assert.equal(codeOf(verifyChannel(signedPointer(makePointer(change)), stable)), "KEEL-827");
  });

  test("that expired is told as stale and is no news: freeze", () => {
    const facts = accepted(verifyChannel(signedPointer(), { ...stable, now: now + 7 * day }));
    assert.equal(facts.staleSince, now + 7 * day);
    assert.equal(staleSince(facts.seen, now + 7 * day - 1), undefined);
    assert.equal(staleSince(facts.seen, now + 30 * day), now + 7 * day);
    assert.equal(staleSince(undefined, now), undefined);
    assert.equal(
      codeOf(verifyChannel(signedPointer(makePointer({ expires: now + 60 * day })), stable)),
      "KEEL-821",
    );
  });

  test("issued in the future is refused", () => {
    const pointer = makePointer({ issued: now + 2 * day });
    assert.equal(codeOf(verifyChannel(signedPointer(pointer), stable)), "KEEL-835");
  });

  test("older than one that was seen is refused: rollback", () => {
    const memory = after(makePointer());
    assert.equal(
      codeOf(verifyChannel(signedPointer(makePointer({ counter: 4 })), { ...stable, memory })),
      "KEEL-825",
    );
    assert.equal(codeOf(verifyChannel(signedPointer(), { ...stable, memory })), "accepted");
    assert.equal(
      codeOf(verifyChannel(signedPointer(makePointer({ counter: 6 })), { ...stable, memory })),
      "accepted",
    );
  });

  test("with a number that another one had is refused", () => {
    const memory = after(makePointer());
    const twin = makePointer({ expires: now + 8 * day });
    assert.equal(codeOf(verifyChannel(signedPointer(twin), { ...stable, memory })), "KEEL-828");
  });

  test("to an older release than before needs a leave by the release keys", () => {
    const memory = after(makePointer());
    const old = makeManifest({ version: "1.0.5" });
    const back = signedPointer(makePointer({ counter: 6 }, old));
    assert.equal(codeOf(verifyChannel(back, { ...stable, memory })), "KEEL-825");
    const downgrade = accepted(verifyDowngrade(signedDowngrade(makeDowngrade(old)), about));
    assert.equal(codeOf(verifyChannel(back, { ...stable, memory, downgrade })), "accepted");
    const other = accepted(
      verifyDowngrade(signedDowngrade(makeDowngrade(makeManifest({ version: "1.0.4" }))), about),
    );
    assert.equal(codeOf(verifyChannel(back, { ...stable, memory, downgrade: other })), "KEEL-825");
  });

  test("with an absurd counter is outlived by the next generation, which only a root begins: fast-forward", () => {
    const memory = after(makePointer({ counter: 10 ** 15 }));
    assert.equal(codeOf(verifyChannel(signedPointer(), { ...stable, memory })), "KEEL-825");
    const trust = makeRoot({ version: 2, generation: 1 });
    const next = signedPointer(makePointer({ generation: 1, counter: 0 }));
    assert.equal(codeOf(verifyChannel(next, { ...stable, memory, trust })), "accepted");
    // The old generation is over, whatever its counters say; nor can the channel key begin one.
    assert.equal(
      codeOf(verifyChannel(signedPointer(makePointer({ counter: 10 ** 15 })), { ...stable, trust })),
      "KEEL-829",
    );
    assert.equal(codeOf(verifyChannel(next, stable)), "KEEL-829");
    assert.equal(
      codeOf(verifyChannel(signedPointer(makePointer({ counter: 10 ** 15 + 1 })), stable)),
      "KEEL-821",
    );
  });

  test("new keys alone reset nothing", () => {
    const memory = after(makePointer());
    const channel = [newKey()];
    const trust = makeRoot({ version: 2 }, { ...keys, channel });
    const replayed = signedPointer(makePointer({ counter: 4 }), channel);
    assert.equal(codeOf(verifyChannel(replayed, { ...stable, memory, trust })), "KEEL-825");
  });

  test("memory survives writing and reading, and garbage is refused", () => {
    const memory = after(makePointer());
    assert.deepEqual(accepted(parseMemory(encodeMemory(memory))), memory);
    assert.equal(codeOf(parseMemory(Buffer.from('{"schema":2}'))), "KEEL-821");
  });
});
