// A machine's part in an update of the cluster's machines: carries out the one order about its system, and says what
// it runs. daemons/ starts one beside the agent, on machines that have two slots.
// Invariants: it restarts only in the boot that the order names, only into what the order names, and only when none
// of the cluster's units is at work; an order that is taken back ends what it began; the report is written on change.
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { keys } from "../model/keys.ts";
import { systemReportCodec } from "../model/system-update.ts";
import type { SystemOrder, SystemReport } from "../model/system-update.ts";
import type { StoreClient } from "../registry/store-client.ts";
import { wakeful, type Followed } from "../store-cluster/wakeful.ts";
import type { HistoryEvent } from "../updater/records.ts";
import type { SystemStatus } from "../updater/system-status.ts";
import type { Bytes, OwnSystem } from "./own-system.ts";

export interface MachineSystemOptions {
  readonly system: OwnSystem;
  readonly store: Pick<StoreClient, "txn">;
  readonly records: Followed & {
    readonly order: SystemOrder | undefined;
    readonly report: string | undefined;
  };
  /** This machine's id. */
  readonly machine: string;
  readonly bootId: string;
  /** Whether it holds the store, or a member of it. */
  readonly keepsStore: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** While something is under way here it is looked at this often, and told at most so often. */
const busyMs = 1000;
/** How often it is looked for what was done by hand. */
const idleMs = 30_000;
const longestReason = 2000;
/** Events that are told, and how much each says. */
const toldEvents = 20;
const longestWhy = 300;

type OrderReport = NonNullable<SystemReport["order"]>;

/** Does what orders say until the signal aborts. */
export async function serveSystemOrders(options: MachineSystemOptions, signal: AbortSignal): Promise<void> {
  const machine = new MachineSystem(options, signal);
  try {
    await wakeful(options, signal, () => machine.step());
  } finally {
    await machine.end();
  }
}

/** What was found on the disk. */
interface Known {
  readonly mark: string;
  readonly status: SystemStatus;
  readonly history: readonly HistoryEvent[];
}

/** An order that is being carried out, or was. */
interface Task {
  readonly order: SystemOrder;
  readonly ending: AbortController;
  work: Promise<void>;
  report: OrderReport;
}

class MachineSystem {
  readonly #options: MachineSystemOptions;
  readonly #signal: AbortSignal;
  #task: Task | undefined;
  #known: Known | undefined;

  constructor(options: MachineSystemOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** One step; returns when to look again. */
  async step(): Promise<number> {
    const { order } = this.#options.records;
    if (!isSame(this.#task?.order, order)) {
      await this.end();
      // An order for a boot that is over was carried out.
      if (order !== undefined && (order.action !== "restart" || order.bootId === this.#options.bootId))
        this.#task = this.#begin(order);
    }
    const known = await this.#look();
    await this.#report(known);
    const isBusy = this.#task?.report.state === "running" || known.status.running.trial !== undefined;
    return isBusy ? busyMs : idleMs;
  }

  /** Ends what is under way. */
  async end(): Promise<void> {
    this.#task?.ending.abort();
    await this.#task?.work;
    this.#task = undefined;
  }

  #begin(order: SystemOrder): Task {
    const { update, action } = order;
    const report = { update, action, state: "running", reason: "" } as const;
    const task: Task = { order, ending: new AbortController(), report, work: Promise.resolve() };
    this.#options.log.info("an order about this machine's system", { action, to: order.to });
    task.work = this.#carryOut(task).then(
      () => {
        if (action !== "restart") task.report = { ...report, state: "done" };
      },
      (error: unknown) => {
        if (task.ending.signal.aborted || this.#signal.aborted) return;
        const reason = describeError(error).slice(0, longestReason);
        this.#options.log.warn("the order about this machine's system failed", { action, reason });
        task.report = { ...report, state: "failed", reason };
      },
    );
    return task;
  }

  async #carryOut(task: Task): Promise<void> {
    const { system, clock } = this.#options;
    const { order } = task;
    const signal = AbortSignal.any([task.ending.signal, this.#signal]);
    if (order.action === "stage") {
      const progress = (bytes: Bytes): void => void (task.report = { ...task.report, progress: bytes });
      return await system.stage(order, { signal, progress });
    }
    if (order.action === "cancel") return await system.cancel(order);
    if (order.to === "previous") await system.goBack(order);
    const { next } = await system.status();
    if (order.to !== "previous" && next.version !== order.to)
      throw new Error(`${order.to} is not what it would start: ${next.version} is`);
    for (;;) {
      const units = await system.unitsAtWork();
      if (units.length === 0) break;
      const reason = `${units.length} units are still at work: ${units.slice(0, 3).join(", ")}`;
      task.report = { ...task.report, reason: reason.slice(0, longestReason) };
      await clock.sleep(busyMs, signal);
    }
    signal.throwIfAborted();
    task.report = { ...task.report, reason: "restarts" };
    await system.restart();
  }

  /** Read anew only when something may be different: that takes reading the disk. */
  async #look(): Promise<Known> {
    const mark = `${await this.#options.system.mark()} ${this.#task?.report.state}`;
    // A boot is found good a moment before its entry says so.
    const isSettled = this.#known?.mark === mark && this.#known.status.running.trial === undefined;
    if (this.#known !== undefined && (isSettled || this.#isWriting)) return this.#known;
    const { system } = this.#options;
    this.#known = { mark, status: await system.status(), history: await system.history() };
    return this.#known;
  }

  get #isWriting(): boolean {
    return this.#task?.order.action === "stage" && this.#task.report.state === "running";
  }

  async #report({ status, history }: Known): Promise<void> {
    const { store, records, machine, bootId, keepsStore } = this.#options;
    const { running, other, next, failed } = status;
    const report: SystemReport = {
      machine,
      bootId,
      version: running.version,
      variant: running.variant,
      slot: running.slot,
      keepsStore: keepsStore(),
      onTrial: running.trial !== undefined,
      ...(next.version === running.version ? {} : { next: next.version }),
      ...(other.version === undefined ? {} : { other: other.version }),
      failed: failed.slice(-20).map(({ version, reason, at = 0 }) => ({
        version,
        reason: reason.slice(0, longestReason),
        at: at * 1000,
      })),
      history: history.slice(-toldEvents).map(toldEvent),
      ...(this.#task === undefined ? {} : { order: this.#task.report }),
    };
    const value = systemReportCodec.encode(report);
    if (records.report === value) return;
    await store.txn(
      { compare: [], write: [{ put: keys.systemReport(machine), value }] },
      { signal: this.#signal },
    );
  }
}

/** Without where a release came from, and without details of failures that only the machine needs. */
function toldEvent(event: HistoryEvent): NonNullable<SystemReport["history"]>[number] {
  const { source: _source, code: _code, why, ...told } = event;
  return { ...told, ...(why === undefined ? {} : { why: why.slice(0, longestWhy) }) };
}

function isSame(one: SystemOrder | undefined, other: SystemOrder | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return (Object.keys({ ...one, ...other }) as (keyof SystemOrder)[]).every(
    (name) => one[name] === other[name],
  );
}
