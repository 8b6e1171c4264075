// How a machine carries out orders about its system: a real store's records in memory, and a simulated system.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { createLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { keys } from "../../src/model/keys.ts";
import { systemOrderCodec, systemReportCodec } from "../../src/model/system-update.ts";
import type { SystemOrder, SystemReport } from "../../src/model/system-update.ts";
import { SimulatedDoor, SimulatedStore } from "../../src/registry/simulated-store.ts";
import { serveSystemOrders } from "../../src/system-orders/machine-system.ts";
import { OwnSystemRecords } from "../../src/system-orders/own-records.ts";
import type { HistoryEvent } from "../../src/updater/records.ts";
import type { Bytes, OwnSystem } from "../../src/system-orders/own-system.ts";
import type { SystemStatus } from "../../src/updater/system-status.ts";

const machine = "a".repeat(32);
const order = (fields: Partial<SystemOrder> = {}): SystemOrder => ({
  machine,
  update: "u1",
  action: "stage",
  to: "1.1.0",
  source: "/releases",
  bootId: "boot-1",
  ...fields,
});

class Bench implements AsyncDisposable {
  readonly clock = {
    ...systemClock,
    sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(Math.min(ms, 5), signal),
  };
  readonly store = new SimulatedStore(this.clock);
  readonly client = new SimulatedDoor(this.store);
  readonly done: string[] = [];
  readonly #ending = new AbortController();
  readonly #records: OwnSystemRecords;
  readonly #serving: Promise<void>;
  next = "1.0.0";
  units: readonly string[] = [];
  history: readonly HistoryEvent[] = [];
  staging: (on: {
    readonly signal: AbortSignal;
    readonly progress: (bytes: Bytes) => void;
  }) => Promise<void> = async () => {
    this.next = "1.1.0";
  };

  constructor() {
    const log = createLog(
      () => {},
      () => "error",
    );
    const around = { clock: this.clock, log, machine };
    this.#records = OwnSystemRecords.open(this.client, { ...around, random: seededRandom(1) });
    const options = { ...around, system: this.#system(), store: this.client, records: this.#records };
    this.#serving = serveSystemOrders(
      { ...options, bootId: "boot-1", keepsStore: () => true },
      this.#ending.signal,
    );
  }

  #system(): OwnSystem {
    return {
      status: () => Promise.resolve(this.#status()),
      history: () => Promise.resolve(this.history),
      mark: () => Promise.resolve(`${this.next} ${this.history.length}`),
      stage: (_order, on) => this.staging(on),
      cancel: () => {
        this.next = "1.0.0";
        return Promise.resolve();
      },
      goBack: () => {
        this.done.push("goes back");
        this.next = "0.9.0";
        return Promise.resolve();
      },
      unitsAtWork: () => Promise.resolve(this.units),
      restart: () => {
        this.done.push("restarts");
        return Promise.resolve();
      },
    };
  }

  #status(): SystemStatus {
    return {
      running: { version: "1.0.0", variant: "vm", slot: "a" },
      other: { slot: "b", version: "0.9.0" },
      next: { version: this.next, because: this.next === "1.0.0" ? "runs" : "update" },
      failed: [{ version: "0.8.0", reason: "keeld is not up", at: 7 }],
    };
  }

  async put(value: SystemOrder | string | undefined): Promise<void> {
    const key = keys.systemOrder(machine);
    const text = typeof value === "object" ? systemOrderCodec.encode(value) : value;
    const write = text === undefined ? { delete: key } : { put: key, value: text };
    await this.client.txn({ compare: [], write: [write] });
  }

  /** Waits until the report is as wanted. */
  async until(what: string, isSo: (report: SystemReport) => boolean): Promise<SystemReport> {
    let last: SystemReport | undefined;
    for (let look = 0; look < 400; look++) {
      const { values } = await this.client.range({ key: keys.systemReport(machine) });
      last = values[0] === undefined ? undefined : systemReportCodec.decode("report", values[0].value);
      if (last !== undefined && isSo(last)) return last;
      await systemClock.sleep(5);
    }
    throw new Error(`never ${what}: ${JSON.stringify(last)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#serving;
    await this.#records[Symbol.asyncDispose]();
  }
}

describe("a machine's part in updates of the system", () => {
  test("says what it runs, and says it again when that is gone", async () => {
    await using bench = new Bench();
    const said = await bench.until("said", () => true);
    const { version, slot, other, keepsStore, onTrial, failed, next } = said;
    assert.deepEqual(
      [version, slot, other, keepsStore, onTrial, next],
      ["1.0.0", "a", "0.9.0", true, false, undefined],
    );
    assert.deepEqual(failed, [{ version: "0.8.0", reason: "keeld is not up", at: 7000 }]);
    const before = bench.store.writes;
    await systemClock.sleep(50);
    assert.equal(bench.store.writes, before, "nothing changed, nothing is written");
    await bench.client.txn({ compare: [], write: [{ delete: keys.systemReport(machine) }] });
    await bench.until("said again", () => true);
  });

  test("tells the latest of what was done, without where it came from", async () => {
    await using bench = new Bench();
    await bench.until("said", ({ history }) => history?.length === 0);
    bench.history = Array.from({ length: 30 }, (_, at) => ({
      at,
      kind: "failed",
      version: "1.1.0",
      source: "/run/media/usb",
      code: "KEEL-806",
      why: "x".repeat(1000),
    }));
    bench.next = "1.1.0";
    await bench.put(order({ action: "cancel" }));
    const { history = [] } = await bench.until("told", (report) => report.history?.length === 20);
    assert.deepEqual(history.at(-1), { at: 29, kind: "failed", version: "1.1.0", why: "x".repeat(300) });
  });

  test("writes a release, tells how far it is, and that it is done", async () => {
    await using bench = new Bench();
    const { promise, resolve } = Promise.withResolvers<void>();
    bench.staging = async ({ progress }) => {
      progress({ done: 5, total: 10 });
      await promise;
      bench.next = "1.1.0";
    };
    await bench.put(order());
    const { order: running } = await bench.until("told", (report) => report.order?.progress?.done === 5);
    assert.deepEqual([running?.update, running?.state], ["u1", "running"]);
    resolve();
    await bench.until("done", (report) => report.order?.state === "done" && report.next === "1.1.0");
    await bench.put(undefined);
    await bench.until("without an order", (report) => report.order === undefined);
  });

  test("takes back what it has written", async () => {
    await using bench = new Bench();
    bench.next = "1.1.0";
    await bench.until("staged", (report) => report.next === "1.1.0");
    await bench.put(order({ action: "cancel" }));
    const { next } = await bench.until("taken back", (report) => report.order?.state === "done");
    assert.equal(next, undefined);
    assert.deepEqual(bench.done, []);
  });

  test("says why it cannot, and stops when the order is taken back", async () => {
    await using bench = new Bench();
    bench.staging = () => Promise.reject(new Error("the disk is full"));
    await bench.put(order());
    const { order: failed } = await bench.until("failed", (report) => report.order?.state === "failed");
    assert.equal(failed?.reason, "the disk is full");
    let stopped = false;
    bench.staging = ({ signal }) =>
      new Promise((_done, fail) => {
        signal.addEventListener("abort", () => {
          stopped = true;
          fail(new Error("stopped"));
        });
      });
    await bench.put(order({ again: true }));
    await bench.until("running", (report) => report.order?.state === "running");
    await bench.put(undefined);
    await bench.until("without an order", (report) => report.order === undefined);
    assert.ok(stopped);
  });

  test("restarts only when no unit is at work, into what the order names", async () => {
    await using bench = new Bench();
    bench.next = "1.1.0";
    bench.units = ["web.service"];
    await bench.put(order({ action: "restart" }));
    const { order: waits } = await bench.until("waits", (report) => report.order?.reason !== "");
    assert.equal(waits?.reason, "1 units are still at work: web.service");
    assert.deepEqual(bench.done, []);
    bench.units = [];
    await bench.until("restarts", () => bench.done.length > 0);
    assert.deepEqual(bench.done, ["restarts"]);
  });

  test("restarts neither into another version, nor in another boot", async () => {
    await using bench = new Bench();
    bench.next = "1.2.0";
    await bench.put(order({ action: "restart" }));
    const { order: failed } = await bench.until("failed", (report) => report.order?.state === "failed");
    assert.equal(failed?.reason, "1.1.0 is not what it would start: 1.2.0 is");
    await bench.put(order({ action: "restart", to: "1.2.0", bootId: "boot-0" }));
    await bench.until("no order of this boot", (report) => report.order === undefined);
    assert.deepEqual(bench.done, []);
  });

  test("goes back before it restarts, and heeds no order that cannot be read", async () => {
    await using bench = new Bench();
    await bench.put("{ garbage");
    await bench.put(order({ machine: "b".repeat(32), action: "restart", to: "previous" }));
    await bench.until("said", (report) => report.order === undefined);
    assert.deepEqual(bench.done, []);
    await bench.put(order({ action: "restart", to: "previous" }));
    await bench.until("restarts", () => bench.done.length === 2);
    assert.deepEqual(bench.done, ["goes back", "restarts"]);
  });
});
