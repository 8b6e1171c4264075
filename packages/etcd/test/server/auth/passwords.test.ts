import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EtcdError } from "../../../src/errors.ts";
import { Passwords } from "../../../src/server/auth/passwords.ts";

describe("passwords", () => {
  it("are hashed as etcd hashes them, and told from others", async () => {
    await using passwords = new Passwords(4);
    const hash = await passwords.hash("pässword");
    assert.match(hash, /^\$2a\$04\$[./A-Za-z0-9]{53}$/);
    assert.equal(await passwords.matches("pässword", hash), true);
    assert.equal(await passwords.matches("password", hash), false);
    // Made by golang.org/x/crypto/bcrypt: its own test vector.
    const go = "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga";
    assert.equal(await passwords.matches("allmine", go), true);
  });

  it("are compared by their first 72 bytes, as bcrypt does", async () => {
    await using passwords = new Passwords(4);
    for (const start of ["x".repeat(72), "é".repeat(36), "\u{1f511}".repeat(18)]) {
      const hash = await passwords.hash(start);
      assert.equal(await passwords.matches(`${start}more\u{1f511}`.repeat(1000), hash), true);
      assert.equal(await passwords.matches(`${start.slice(0, -1)}?more`, hash), false);
    }
  });

  it("match nothing that is no hash", async () => {
    await using passwords = new Passwords(4);
    for (const hash of ["", "none", "$2a$04$short", "x".repeat(60)]) {
      assert.equal(await passwords.matches("", hash), false, hash);
    }
  });

  it("are refused when they are longer than bcrypt can take", async () => {
    await using passwords = new Passwords(4);
    await passwords.hash("x".repeat(72));
    await assert.rejects(passwords.hash("é".repeat(37)), { message: /exceeds 72 bytes/ });
  });

  it("leave the event loop free", async () => {
    await using passwords = new Passwords(10);
    await passwords.hash("the thread has begun");
    let turns = 0;
    const turn = setInterval(() => turns++, 1);
    await passwords.hash("this takes a while");
    clearInterval(turn);
    assert.ok(turns > 5, `${turns} turns`);
  });

  it("are refused beyond a bound, and the flood's first are answered", async () => {
    await using passwords = new Passwords(4);
    const flood = Array.from({ length: 400 }, () => passwords.matches("x", "no hash"));
    const outcomes = await Promise.allSettled(flood);
    const refused = outcomes.filter((one) => one.status === "rejected");
    assert.ok(refused.length > 100 && refused.length < 200, `${refused.length} refused`);
    for (const { reason } of refused) assert.equal((reason as EtcdError).code, "TOO_MANY_REQUESTS");
    assert.equal(outcomes[0]?.status, "fulfilled");
  });

  it("that wait when the server stops are refused", async () => {
    const passwords = new Passwords(10);
    const waiting = [1, 2, 3, 4, 5].map((n) => passwords.hash(String(n)));
    const settled = Promise.allSettled(waiting);
    await passwords[Symbol.asyncDispose]();
    for (const one of await settled) {
      assert.ok(one.status === "rejected" && (one.reason as EtcdError).code === "SERVER_STOPPED");
    }
    await assert.rejects(passwords.hash("late"), { code: "SERVER_STOPPED" });
  });

  it("have a cost that bcrypt knows", () => {
    for (const cost of [3, 32, 4.5, Number.NaN])
      assert.throws(() => new Passwords(cost), { code: "INVALID_ARGUMENT" });
  });
});
