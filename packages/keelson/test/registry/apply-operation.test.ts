import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KeelError } from "../../src/base/errors.ts";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { keys, prefixes } from "../../src/model/keys.ts";
import { operationCodec } from "../../src/model/operation.ts";
import type { Change } from "../../src/model/operation.ts";
import type { RecordChange } from "../../src/model/record-kinds.ts";
import { unitCodec } from "../../src/model/unit.ts";
import { applyOperation, resumeOperation } from "../../src/registry/apply-operation.ts";
import { SimulatedStore } from "../../src/registry/simulated-store.ts";
import type { StoreClient, Txn } from "../../src/registry/store-client.ts";
import { operationRecord, unitRecord } from "./records.ts";

const stage = () => {
  const store = new SimulatedStore(new SimulatedClock());
  return { store, client: store.door() };
};

const created = (count: number): Change[] =>
  Array.from({ length: count }, (_, at) => ({ unit: `u${at}.service`, after: unitRecord(`u${at}.service`) }));

const bodiesOf = (changes: readonly Change[]) =>
  new Map(changes.flatMap(({ unit, after }) => (after ? [[after.hash, unit] as const] : [])));

const unitsIn = (store: SimulatedStore): string[] =>
  store.values.filter(({ key }) => key.startsWith(prefixes.units)).map(({ key }) => key);

const operationIn = (store: SimulatedStore, id: string) => {
  const stored = store.values.find(({ key }) => key === keys.operation(id));
  return stored && operationCodec.decode(stored.key, stored.value);
};

const isMoved = (error: unknown): boolean => error instanceof KeelError && error.code === "KEEL-403";

describe("applyOperation", () => {
  test("writes units, bodies and the record together", async () => {
    const { store, client } = stage();
    const changes = created(3);
    const revision = await applyOperation(client, operationRecord("op1", changes), bodiesOf(changes));
    assert.equal(revision, store.revision);
    assert.equal(unitsIn(store).length, 3);
    assert.equal(operationIn(store, "op1")?.state, "applied");
    assert.equal(
      new Set(store.values.filter(({ key }) => key.includes("/units/")).map((it) => it.modRevision)).size,
      1,
    );
  });

  test("changes nothing when a unit is not what the plan saw", async () => {
    const { store, client } = stage();
    const [first] = created(1);
    assert.ok(first?.after);
    await applyOperation(client, operationRecord("op1", [first]), bodiesOf([first]));
    const stale = { unit: first.unit, before: { ...first.after, generation: 7 } };
    const fresh = { unit: "new.service", after: unitRecord("new.service") };
    const operation = operationRecord("op2", [fresh, stale]);
    await assert.rejects(applyOperation(client, operation, bodiesOf([fresh])), isMoved);
    assert.equal(operationIn(store, "op2"), undefined);
    assert.deepEqual(unitsIn(store), [keys.unit(first.unit)]);
  });

  test("marks the operation that it takes back", async () => {
    const { store, client } = stage();
    const changes = created(1);
    await applyOperation(client, operationRecord("op1", changes), bodiesOf(changes));
    const back = changes.map(({ unit, after }) => ({ unit, ...(after ? { before: after } : {}) }));
    await applyOperation(client, operationRecord("op2", back, { undoOf: "op1" }), new Map());
    assert.equal(operationIn(store, "op1")?.undoneBy, "op2");
    assert.deepEqual(unitsIn(store), []);
  });

  test("writes 500 units in parts, and the record says applied at the end", async () => {
    const { store, client } = stage();
    const changes = created(500);
    await applyOperation(client, operationRecord("big", changes), bodiesOf(changes));
    assert.equal(unitsIn(store).length, 500);
    assert.equal(operationIn(store, "big")?.state, "applied");
  });

  test("refuses a record that is too large before it writes anything", async () => {
    const { store, client } = stage();
    const operation = operationRecord("huge", created(5000));
    await assert.rejects(
      applyOperation(client, operation, new Map()),
      (error) => error instanceof KeelError && error.code === "KEEL-605",
    );
    assert.equal(store.values.length, 0);
  });

  test("an operation that was broken off anywhere is carried on to its end", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 12 }), async (broken) => {
        const { store, client } = stage();
        const changes = created(200);
        let left = broken;
        const failing: StoreClient = Object.assign(Object.create(client) as StoreClient, {
          range: client.range.bind(client),
          getAll: client.getAll.bind(client),
          txn: (txn: Txn) => (left-- > 0 ? client.txn(txn) : Promise.reject(new Error("power is gone"))),
        });
        const operation = operationRecord("op1", changes);
        await applyOperation(failing, operation, bodiesOf(changes)).catch(() => {});
        const found = operationIn(store, "op1");
        if (found === undefined) return assert.equal(unitsIn(store).length, 0);
        await resumeOperation(client, found);
        assert.equal(unitsIn(store).length, 200);
        assert.equal(operationIn(store, "op1")?.state, "applied");
      }),
      { numRuns: 13 },
    );
  });

  test("an operation that is carried on leaves alone what others changed since", async () => {
    const { store, client } = stage();
    const changes = created(100);
    const operation = operationRecord("op1", changes, { state: "applying" });
    for (const [hash, body] of bodiesOf(changes)) {
      store.txn({ compare: [], write: [{ put: keys.body(hash), value: body }] });
    }
    const record = { put: keys.operation("op1"), value: operationCodec.encode(operation) };
    const other = unitRecord("u7.service", { desired: "loaded", generation: 9 });
    store.txn({
      compare: [],
      write: [record, { put: keys.unit("u7.service"), value: unitCodec.encode(other) }],
    });
    await resumeOperation(client, operation);
    assert.equal(unitsIn(store).length, 100);
    assert.equal(operationIn(store, "op1")?.changes.length, 99);
    const kept = store.values.find(({ key }) => key === keys.unit("u7.service"));
    assert.equal(kept && unitCodec.decode(kept.key, kept.value).generation, 9);
  });

  test("writes many records before the units, in several transactions, and carries them on", async () => {
    const { store, client } = stage();
    const changes = created(40);
    const records = changes.flatMap(({ unit }) =>
      ["move", "machine-settings"].map((kind): RecordChange => {
        if (kind === "move")
          return { kind: "move", name: unit, after: { instance: unit, from: "m1", because: "test", at: 1 } };
        return {
          kind: "machine-settings",
          name: unit,
          after: { machine: unit, cordoned: true, metadata: {} },
        };
      }),
    );
    const operation = { ...operationRecord("op1", changes), records };
    // Bodies, the operation with its first records, and then the power goes.
    let left = 2;
    const dying: StoreClient = Object.assign(Object.create(client) as StoreClient, {
      range: client.range.bind(client),
      getAll: client.getAll.bind(client),
      txn: (txn: Txn) => (left-- > 0 ? client.txn(txn) : Promise.reject(new Error("power is gone"))),
    });
    await assert.rejects(applyOperation(dying, operation, bodiesOf(changes)), /power is gone/);
    assert.equal(unitsIn(store).length, 0, "units come after all records");
    const begun = operationIn(store, "op1");
    assert.equal(begun?.state, "applying");
    await resumeOperation(client, begun);
    await resumeOperation(client, begun);
    assert.equal(unitsIn(store).length, 40);
    const written = store.values.filter(({ key }) => /\/(moves|settings)\//.test(key));
    assert.equal(written.length, 80);
    assert.equal(operationIn(store, "op1")?.state, "applied");
  });
});
