// Events and their causes, from records as the real parts write them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Chronicle } from "../../src/history/chronicle.ts";
import type { ClusterEvent } from "../../src/history/cluster-event.ts";
import { keys } from "../../src/model/keys.ts";
import { machineCodec, memberCodec } from "../../src/model/machine.ts";
import { type Operation, operationCodec } from "../../src/model/operation.ts";
import { type ScheduleEntry, scheduleCodec, statusCodec, type UnitStatus } from "../../src/model/schedule.ts";
import { systemClock } from "../../src/base/clock.ts";
import { readHistory } from "../../src/registry/history.ts";
import { SimulatedStore } from "../../src/registry/simulated-store.ts";
import { unitCodec } from "../../src/model/unit.ts";
import { machineId, machineRecord, orderRecord, statusRecord, unitRecord } from "../registry/records.ts";

const t0 = Date.UTC(2026, 0, 5);

class Written {
  readonly store = new SimulatedStore(systemClock);

  put(key: string, value: string): this {
    this.store.txn({ compare: [], write: [{ put: key, value }] });
    return this;
  }

  drop(key: string): this {
    this.store.txn({ compare: [], write: [{ delete: key }] });
    return this;
  }

  machine(number: number): this {
    const record = machineRecord(number);
    const { id, name, address, apiPort, since } = record;
    this.put(keys.member(id), memberCodec.encode({ id, name, address, apiPort, joined: since }));
    return this.put(keys.machine(id), machineCodec.encode(record));
  }

  unit(name: string): this {
    return this.put(keys.unit(name), unitCodec.encode(unitRecord(name, { desired: "launched" })));
  }

  operation(id: string, unit: string, fields: Partial<Operation>): this {
    const record: Operation = {
      id,
      who: "ada",
      via: "cli",
      summary: `start ${unit}`,
      kind: "submit",
      changes: [{ unit }],
      impact: { affected: 0, total: 1, percent: 0, instances: 0, reversible: "exactly" },
      at: t0,
      expires: t0 + 1,
      state: "applied",
      ...fields,
    };
    return this.put(keys.operation(id), operationCodec.encode(record));
  }

  order(machine: number, unit: string, fields: Partial<ScheduleEntry>): this {
    return this.put(
      keys.schedule(machineId(machine), unit),
      scheduleCodec.encode(orderRecord(unit, { companion: false, ...fields })),
    );
  }

  status(machine: number, unit: string, fields: Partial<UnitStatus>): this {
    return this.put(keys.status(machineId(machine), unit), statusCodec.encode(statusRecord(unit, fields)));
  }

  async events(mostRevisions = 1000): Promise<ClusterEvent[]> {
    const chronicle = new Chronicle();
    const ending = new AbortController();
    const told: ClusterEvent[] = [];
    const options = { mostRevisions, signal: ending.signal };
    for await (const { steps, isCurrent } of readHistory(this.store.door(), options)) {
      for (const step of steps) told.push(...chronicle.tell(step));
      if (isCurrent) ending.abort();
    }
    return told;
  }
}

const brief = (events: readonly ClusterEvent[]): string[] =>
  events.map(({ kind, units, machineName, text, why, operation, afterMs, exact }) => {
    const after = afterMs === null ? "" : ` +${afterMs}`;
    const where = machineName === "" ? "" : ` ${machineName}`;
    const by = operation === "" ? "" : ` [${operation}]`;
    const because = why === "" ? "" : ` (${why})`;
    return `${exact ? "" : "~"}${kind} ${units.join(",")}${where} ${text}${because}${by}${after}`;
  });

describe("the chronicle", () => {
  test("a start: from the operation to healthy, with milliseconds and the operation", async () => {
    const written = new Written()
      .machine(1)
      .operation("op1", "web.service", {})
      .order(1, "web.service", { placed: t0 + 12, because: "fewest units (0)" })
      .status(1, "web.service", {
        active: "inactive",
        health: "unknown",
        steps: { received: t0 + 20, image: t0 + 900 },
      })
      .status(1, "web.service", {
        active: "active",
        health: "healthy",
        steps: {
          received: t0 + 20,
          image: t0 + 900,
          written: t0 + 910,
          started: t0 + 930,
          active: t0 + 1200,
          healthy: t0 + 1500,
        },
      });
    assert.deepEqual(brief(await written.events()).slice(1), [
      "operation web.service start web.service (asked for by ada (cli)) [op1]",
      "placed web.service m1 placed (fewest units (0)) [op1] +12",
      "received web.service m1 has its order [op1] +20",
      "image web.service m1 image is there [op1] +900",
      "written web.service m1 file written [op1] +910",
      "started web.service m1 start begun [op1] +930",
      "active web.service m1 active [op1] +1200",
      "healthy web.service m1 healthy [op1] +1500",
    ]);
  });

  test("a machine is lost: what follows is the leader's own decision and counts from there", async () => {
    const written = new Written()
      .machine(1)
      .machine(2)
      .unit("web.service")
      .operation("op1", "web.service", {})
      .order(1, "web.service", { placed: t0 + 10 })
      .status(1, "web.service", { steps: { active: t0 + 50 } })
      .drop(keys.machine(machineId(1)))
      .drop(keys.status(machineId(1), "web.service"))
      .drop(keys.schedule(machineId(1), "web.service"))
      .order(2, "web.service", { placed: t0 + 90_000, because: "moved from m1: its lease ran out" })
      .status(2, "web.service", { steps: { received: t0 + 90_010, active: t0 + 90_400 } });
    const told = brief(await written.events());
    assert.deepEqual(told.slice(told.findIndex((line) => line.includes("does not report"))), [
      "~machine  m1 does not report any more (its lease is gone)",
      "~withdrawn web.service m1 taken off",
      "placed web.service m2 placed (moved from m1: its lease ran out)",
      "received web.service m2 has its order +10",
      "active web.service m2 active +400",
    ]);
  });

  test("a failure with its reason, and a stop that a person asked for", async () => {
    const written = new Written()
      .machine(1)
      .operation("op1", "web.service", {})
      .order(1, "web.service", { placed: t0 + 10 })
      .status(1, "web.service", {
        active: "failed",
        health: "failed",
        since: t0 + 70,
        reason: "exit status 1: no such file",
        steps: { started: t0 + 60 },
      })
      .operation("op2", "web.service", { summary: "stop web.service", at: t0 + 500, who: "eve" })
      .order(1, "web.service", { placed: t0 + 10, desired: "loaded" })
      .status(1, "web.service", {
        active: "inactive",
        health: "stopped",
        since: t0 + 600,
        steps: { started: t0 + 60 },
      });
    assert.deepEqual(brief(await written.events()).slice(3), [
      "started web.service m1 start begun [op1] +60",
      "failed web.service m1 failed (exit status 1: no such file) [op1] +70",
      "operation web.service stop web.service (asked for by eve (cli)) [op2]",
      "~ordered web.service m1 told to stop [op2]",
      "stopped web.service m1 stopped [op2] +100",
    ]);
  });

  test("what the store has compacted is not told, and what follows is", async () => {
    const written = new Written().machine(1).operation("op1", "web.service", {});
    written.store.compact(written.store.revision);
    written.order(1, "web.service", { placed: t0 + 12 });
    assert.deepEqual(
      (await written.events()).map(({ kind }) => kind),
      ["placed"],
    );
    assert.deepEqual(await written.events(0), []);
  });
});
