import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { withoutCompacted, type ReplayedRevision, type SourceHistory } from "../../src/migration/history.ts";
import { plan } from "../../src/migration/plan.ts";

const key = fc.constantFrom("a", "b", "c", "d", "e", "f", "\0keelson-migration/0");
const change = fc.record({
  key,
  kind: fc.constantFrom("put" as const, "put" as const, "delete" as const),
  lease: fc.constantFrom(0n, 0n, 1n, 2n),
  value: fc.string({ maxLength: 3 }),
});
interface Change {
  readonly key: string;
  readonly kind: "put" | "delete";
  readonly lease: bigint;
  readonly value: string;
}
const transaction = fc.array(change, { minLength: 1, maxLength: 8 });

/** Each key is changed once in a transaction, as etcd has it. */
function run(keyspace: Keyspace, changes: readonly Change[]): void {
  const seen = new Set<string>();
  for (const { key: name, kind, lease, value } of changes) {
    if (seen.has(name)) continue;
    seen.add(name);
    if (kind === "put") keyspace.put(name, value, lease);
    else keyspace.deleteRange({ start: name, end: undefined, point: true });
  }
  keyspace.commit();
}

function withLeases(): Keyspace {
  const keyspace = new Keyspace();
  keyspace.leases.add(1n, 10);
  keyspace.leases.add(2n, 10);
  return keyspace;
}

function compacted(keyspace: Keyspace, revision: number): void {
  keyspace.compact(revision);
  while (!keyspace.sweep(1000));
}

function made(transactions: readonly (readonly Change[])[], at: number | undefined): Keyspace {
  const keyspace = withLeases();
  for (const changes of transactions) run(keyspace, changes);
  if (at !== undefined) compacted(keyspace, 1 + (at % keyspace.revision));
  return keyspace;
}

function historyOf({ revision, compactRevision, history }: Keyspace): SourceHistory {
  return { revision, compactRevision, versions: history };
}

function carryOut(keyspace: Keyspace, { revision, changes }: ReplayedRevision): void {
  for (const change of changes) {
    if (change.kind === "put") keyspace.put(change.key, change.value, change.lease);
    else keyspace.deleteRange({ start: change.key, end: undefined, point: true });
  }
  keyspace.commit();
  assert.equal(keyspace.revision, revision);
}

/** Carries the plan out, with what is not ordered backwards: the planner promises that it makes no difference. */
function replayed(history: SourceHistory): Keyspace {
  const target = withLeases();
  let loose: ReplayedRevision[] = [];
  const flush = (): void => {
    const first = loose[0]?.revision ?? 0;
    for (const [place, step] of loose.reverse().entries())
      carryOut(target, { ...step, revision: first + place });
    loose = [];
  };
  for (const step of plan(history)) {
    if (!step.ordered) loose.push(step);
    else {
      flush();
      carryOut(target, step);
    }
  }
  flush();
  if (history.compactRevision > 0) compacted(target, history.compactRevision);
  return target;
}

/** Everything that HashKV is computed from, and what hangs on leases. */
function contents(keyspace: Keyspace): unknown {
  const { revision, compactRevision, history, leases } = keyspace;
  return {
    revision,
    compactRevision,
    history: history.map(({ main, sub, encoded }) => `${main}_${sub} ${encoded}`),
    leases: [...leases.values()].map(({ id, keys }) => [id, [...keys].sort()]),
  };
}

describe("the plan of a migration", () => {
  test("makes the same history, whatever was compacted", () => {
    fc.assert(
      fc.property(
        fc.array(transaction, { maxLength: 60 }),
        fc.option(fc.nat(), { nil: undefined }),
        (transactions, at) => {
          const source = made(transactions, at);
          assert.deepEqual(contents(replayed(historyOf(source))), contents(source));
        },
      ),
      { numRuns: 300 },
    );
  });

  test("does the same when the source has not swept what it compacted", () => {
    fc.assert(
      fc.property(fc.array(transaction, { minLength: 1, maxLength: 40 }), fc.nat(), (transactions, at) => {
        const source = made(transactions, undefined);
        const compactRevision = 1 + (at % source.revision);
        const history = withoutCompacted({ ...historyOf(source), compactRevision });
        compacted(source, compactRevision);
        assert.deepEqual(contents(replayed(history)), contents(source));
      }),
    );
  });

  test("an old store costs one change for each revision that is burnt, and few that are ordered", () => {
    const source = withLeases();
    for (let round = 0; round < 5000; round++) {
      const changes = [
        { key: round % 7 === 0 ? "rare" : "often", kind: "put" as const, lease: 0n, value: "v" },
      ];
      run(source, changes);
    }
    run(source, [{ key: "gone", kind: "put", lease: 0n, value: "" }]);
    compacted(source, source.revision);
    const steps = [...plan(historyOf(source))];
    assert.equal(steps.length, source.revision - 1);
    assert.ok(steps.every(({ changes }) => changes.length <= 3));
    assert.ok(steps.filter(({ ordered }) => ordered).length < 10);
  });

  test("refuses what it cannot make again, and says what to do", () => {
    const version = { key: "a", sub: 0, create: 2, version: 1, lease: 0n, value: "" };
    const refused: readonly SourceHistory[] = [
      // A revision without a change.
      { revision: 3, compactRevision: 0, versions: [{ ...version, main: 3, create: 3 }] },
      // The compacted revision has left nothing.
      { revision: 4, compactRevision: 4, versions: [{ ...version, main: 2 }] },
      // More writes than revisions.
      { revision: 4, compactRevision: 4, versions: [{ ...version, main: 4, version: 9 }] },
      { revision: 2, compactRevision: 2, versions: [{ ...version, main: 2, version: 0, create: 0 }] },
    ];
    for (const history of refused) {
      assert.throws(() => [...plan(history)], { code: "MIGRATION_REFUSED" });
    }
  });
});
