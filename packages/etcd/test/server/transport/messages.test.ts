import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Budget } from "../../../src/server/transport/http2/allowance.ts";
import { framed, isWholeMessage, MessageReader } from "../../../src/server/transport/messages.ts";

const bytesOf = (message: string): Buffer => Buffer.from(framed(message), "latin1");

function reader(mostBytes = 1000, budget = new Budget(1 << 20)): MessageReader {
  return new MessageReader({ mostBytes, budget });
}

test("messages come out whole, however they were cut, and nothing stays behind", () => {
  const message = fc.string({ unit: "binary-ascii", maxLength: 300 });
  const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(message), cuts, (messages, lengths) => {
      const all = Buffer.concat(messages.map(bytesOf));
      const budget = new Budget(1 << 20);
      const it = reader(1000, budget);
      const got: string[] = [];
      for (let at = 0, count = 0; at < all.length; count++) {
        const end = at + (lengths[count % lengths.length] as number);
        it.push(all.subarray(at, end), (bytes) => got.push(bytes.toString("latin1")));
        at = end;
      }
      assert.deepEqual(got, messages);
      assert.equal(budget.used, 0);
    }),
  );
});

test("a message that is too long or compressed is refused before it has come", () => {
  const take = (): void => assert.fail();
  const long = bytesOf("x".repeat(2000)).subarray(0, 5);
  const tooLarge = { message: "grpc: received message larger than max (2000 vs. 1000)", grpcStatus: 8 };
  assert.throws(() => reader().push(long, take), tooLarge);
  const cut = reader();
  cut.push(long.subarray(0, 3), take);
  assert.throws(() => cut.push(long.subarray(3), take), tooLarge);
  assert.throws(() => reader().push(Buffer.from([1, 0, 0, 0, 0]), take), { grpcStatus: 13 });
  assert.ok(isWholeMessage(bytesOf("abc"), 3));
  assert.ok(!isWholeMessage(bytesOf("abcd"), 3));
  assert.ok(!isWholeMessage(bytesOf("abc").subarray(1), 10));
});

test("what is held grows with what has come, not with what was announced; all readers share one budget", () => {
  const budget = new Budget(10_000);
  const take = (): void => assert.fail();
  const readers = Array.from({ length: 9 }, () => reader(1 << 20, budget));
  const announced = bytesOf("x".repeat(1 << 19)).subarray(0, 6);
  for (const it of readers) it.push(announced, take);
  assert.equal(budget.used, 9 * 1024);
  const [first, second] = readers;
  assert.throws(() => first?.push(Buffer.alloc(5000), take), { code: "TOO_MANY_REQUESTS" });
  first?.release();
  second?.push(Buffer.alloc(1500), take);
  for (const it of readers) it.release();
  assert.equal(budget.used, 0);
});
