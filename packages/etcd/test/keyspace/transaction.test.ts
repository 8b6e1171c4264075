import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import type { Operation, TxnRequest } from "../../src/keyspace/requests.ts";
import { put, txn } from "../../src/keyspace/transaction.ts";
import { checkTxn } from "../../src/keyspace/validate.ts";

const plainPut = { value: "v", lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };

function putting(key: string): Operation {
  return { kind: "put", request: { ...plainPut, key } };
}

function deleting(key: string, rangeEnd = ""): Operation {
  return { kind: "delete", request: { key, rangeEnd, prevKv: false } };
}

function reading(key: string, revision = 0): Operation {
  const none = { limit: 0, sortOrder: 0, sortTarget: 0, keysOnly: false, countOnly: false };
  const bounds = { minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0 };
  return { kind: "range", request: { key, rangeEnd: "", revision, ...none, ...bounds } };
}

function nested(success: readonly Operation[], failure: readonly Operation[] = []): Operation {
  return { kind: "txn", request: { compare: [], success, failure } };
}

function doing(...success: Operation[]): TxnRequest {
  return { compare: [], success, failure: [] };
}

describe("transactions", () => {
  test("keys that two operations write are refused, in both branches and through nesting", () => {
    const refused: readonly TxnRequest[] = [
      doing(putting("a"), putting("a")),
      doing(putting("a"), deleting("a")),
      doing(deleting("a", "c"), putting("b")),
      doing(putting("a"), nested([putting("a")])),
      doing(deleting("a"), nested([], [putting("a")])),
      doing(nested([deleting("a", "z")]), putting("b")),
      doing(nested([putting("a")]), nested([putting("a")])),
      { compare: [], success: [], failure: [putting("a"), putting("a")] },
    ];
    for (const request of refused) assert.throws(() => checkTxn(request, 128), { code: "DUPLICATE_KEY" });
    checkTxn(doing(deleting("a", "c"), deleting("b", "d")), 128);
    checkTxn(doing(nested([putting("a")], [putting("a")])), 128);
  });

  test("the limit of operations is counted down through nesting", () => {
    const many = (count: number): Operation[] =>
      Array.from({ length: count }, (_, place) => reading(`k${place}`));
    checkTxn(doing(...many(128)), 128);
    assert.throws(() => checkTxn(doing(...many(129)), 128), { code: "TOO_MANY_OPS" });
    checkTxn(doing(nested(many(127))), 128);
    assert.throws(() => checkTxn(doing(nested(many(128))), 128), { code: "TOO_MANY_OPS" });
    assert.throws(() => checkTxn(doing({ kind: "none" }), 128), { code: "KEY_NOT_FOUND" });
  });

  test("one fault refuses all of it, and nothing has changed", () => {
    const keyspace = new Keyspace();
    put(keyspace, { ...plainPut, key: "a" });
    const faults: readonly (readonly [Operation, string])[] = [
      [reading("a", 99), "FUTURE_REVISION"],
      [{ kind: "put", request: { ...plainPut, key: "b", lease: 5n } }, "LEASE_NOT_FOUND"],
      [{ kind: "put", request: { ...plainPut, key: "b", ignoreValue: true } }, "KEY_NOT_FOUND"],
    ];
    for (const [operation, code] of faults) {
      assert.throws(() => txn(keyspace, doing(putting("x"), nested([operation]))), { code });
      assert.equal(keyspace.revision, 2);
      assert.equal(keyspace.get("x"), undefined);
    }
  });

  test("nothing is kept of a key that the transaction has deleted; a put of all of it goes through", () => {
    // As in etcd, a delete of everything from a key on does not count as one that meets the puts beside it.
    const everything = deleting("a", "\0");
    for (const ignored of [{ ignoreValue: true, value: "" }, { ignoreLease: true }]) {
      const keyspace = new Keyspace();
      put(keyspace, { ...plainPut, key: "k" });
      const keeping: Operation = { kind: "put", request: { ...plainPut, ...ignored, key: "k" } };
      for (const request of [doing(everything, keeping), doing(nested([everything]), nested([keeping]))]) {
        checkTxn(request, 128);
        assert.throws(() => txn(keyspace, request), { code: "KEY_NOT_FOUND" });
        assert.equal(keyspace.revision, 2);
      }
      txn(keyspace, doing(deleting("l", "\0"), deleting("j"), keeping, deleting("a", "z")));
      assert.equal(keyspace.newest("k")?.previous?.version, 2);
      put(keyspace, { ...plainPut, key: "k" });
      txn(keyspace, doing(everything, putting("k")));
      assert.equal(keyspace.get("k")?.version, 1);
    }
  });

  test("operations see those before them, at one revision; reading alone makes none", () => {
    const keyspace = new Keyspace();
    const { results, revision } = txn(
      keyspace,
      doing(putting("a"), reading("a"), deleting("a", "z"), reading("a")),
    );
    assert.equal(revision, 2);
    assert.deepEqual(
      results.map((result) => (result.kind === "range" ? result.count : result.revision)),
      [2, 1, 2, 0],
    );
    assert.equal(txn(keyspace, doing(reading("a"), deleting("nothing"))).revision, 2);
    assert.equal(keyspace.revision, 2);
  });
});
