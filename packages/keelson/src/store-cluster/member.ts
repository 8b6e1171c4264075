// A machine's part in the store's cluster: carries out the order to be a member of it, or to be none any more, and
// reports what systemd says. daemons/ starts one beside each agent.
// Invariants: data is deleted only where an order says `remove` or orders another member in its place, or where
// the store that this machine follows has no such member and no order for it; the
// settings file is written before the unit is started and taken away after it was stopped, so that the machine's
// next boot does the same; nothing is ever started without TLS.
import { mkdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Identity } from "../authority/identity.ts";
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { readIfThere, removeIfThere, writeAtomically } from "../host/atomic-file.ts";
import type { Host } from "../host/host.ts";
import { keys } from "../model/keys.ts";
import { memberReportCodec } from "../model/store.ts";
import type { MemberOrder, MemberReport } from "../model/store.ts";
import type { StoreClient } from "../registry/store-client.ts";
import type { StoreRecords } from "../registry/store-records.ts";
import { enrol } from "./enrolment.ts";
import { memberNameIn, memberSettings, memberUrlIn } from "./member-settings.ts";
import { wakeful } from "./wakeful.ts";

export const memberUnit = "keelson-etcd.service";
/** A member's log and database take this much from the beginning. */
export const leastFreeBytes = 512 << 20;
const lookMs = 1000;

export interface MemberOptions {
  readonly host: Host;
  readonly store: StoreClient;
  readonly records: StoreRecords;
  /** Of the use `member`. */
  readonly identity: Identity;
  /** This machine's id. */
  readonly machine: string;
  /** The member's data lie in `etcd/` of it, settings and certificates in `store/`. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Does what the orders say until the signal aborts. The member goes on without it. */
export function serveAsMember(options: MemberOptions, signal: AbortSignal): Promise<void> {
  const member = new MachineMember(options, signal);
  return wakeful(options, signal, () => member.step());
}

class MachineMember {
  readonly #options: MemberOptions;
  readonly #signal: AbortSignal;
  readonly #dataDir: string;
  readonly #settingsFile: string;
  #starting: Promise<unknown> | undefined;
  #problem = "";

  constructor(options: MemberOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#dataDir = join(options.stateDir, "etcd");
    this.#settingsFile = join(options.stateDir, "store", "member.env");
  }

  /** One step; returns when to look again. */
  async step(): Promise<number | void> {
    const { records, machine, log } = this.#options;
    const order = records.order(machine);
    if (order === undefined) return this.#leaveIfOrphaned();
    if (order.wanted === "remove") return this.#remove();
    try {
      this.#problem = (await this.#prepare(order)) ?? "";
    } catch (error) {
      this.#problem = describeError(error);
      log.warn("this machine's member of the store does not run yet", { error: this.#problem });
    }
    if (this.#problem === "") this.#start();
    await this.#report(order);
    return lookMs;
  }

  /** Puts everything in place that etcd needs. Returns what is missing. */
  async #prepare(order: MemberOrder): Promise<string | undefined> {
    const { identity, stateDir, log } = this.#options;
    const missing = await enrol(identity, { ...this.#options, use: "member", signal: this.#signal });
    if (missing !== undefined) return missing;
    const before = await readIfThere(this.#settingsFile);
    const wanted = memberSettings(order, {
      dataDir: this.#dataDir,
      certificate: identity.path("crt"),
      key: identity.path("key"),
      authority: identity.path("ca"),
    });
    if (before === wanted) return undefined;
    if (memberNameIn(before) !== order.name) {
      await this.#stop();
      await rm(this.#dataDir, { recursive: true, force: true });
      const { bavail, bsize } = await statfs(stateDir);
      if (bavail * bsize < leastFreeBytes) return `${stateDir} has less than 512 MiB left`;
    }
    await mkdir(this.#dataDir, { recursive: true, mode: 0o700 });
    await writeAtomically(this.#settingsFile, wanted, 0o600);
    log.info("is to be a member of the store", { name: order.name });
    return undefined;
  }

  #start(): void {
    const { host, log } = this.#options;
    const { active } = this.#state();
    if (this.#starting !== undefined || active === "active" || active === "activating") return;
    // It waits for the other members before it is up: nothing here waits with it.
    this.#starting = host
      .act("start", memberUnit, this.#signal)
      .then((outcome) => {
        if (!outcome.done) log.warn("the store's member did not start", { reason: outcome.reason });
      })
      .catch(() => undefined)
      .finally(() => (this.#starting = undefined));
  }

  /** The machine was removed from the cluster while it was away, and its member given away. */
  async #leaveIfOrphaned(): Promise<void> {
    const { location } = this.#options.records;
    const settings = await readIfThere(this.#settingsFile);
    if (settings === undefined || location === undefined) return;
    if (!location.endpoints.includes(memberUrlIn(settings))) await this.#end();
  }

  async #end(): Promise<void> {
    await this.#stop();
    await removeIfThere(this.#settingsFile);
    await rm(this.#dataDir, { recursive: true, force: true });
    this.#options.log.info("is no member of the store any more");
  }

  async #remove(): Promise<void> {
    const { store, machine } = this.#options;
    if ((await readIfThere(this.#settingsFile)) !== undefined) await this.#end();
    await rm(this.#dataDir, { recursive: true, force: true });
    const gone = [keys.storeMember(machine), keys.storeReport(machine), keys.storeReplacement(machine)];
    await store.txn({ compare: [], write: gone.map((key) => ({ delete: key })) }, { signal: this.#signal });
  }

  async #stop(): Promise<void> {
    const outcome = await this.#options.host.act("stop", memberUnit, this.#signal);
    if (!outcome.done) throw new Error(`${memberUnit} does not stop: ${outcome.reason}`);
  }

  async #report(order: MemberOrder): Promise<void> {
    const { store, records, machine } = this.#options;
    const { active, sub, reason } = this.#state();
    const problem = (this.#problem || reason).slice(0, 1000);
    const report: MemberReport = { machine, name: order.name, active, sub, problem };
    const value = memberReportCodec.encode(report);
    const known = records.report(machine);
    if (known !== undefined && memberReportCodec.encode(known) === value) return;
    await store.txn(
      { compare: [], write: [{ put: keys.storeReport(machine), value }] },
      { signal: this.#signal },
    );
  }

  #state(): { readonly active: string; readonly sub: string; readonly reason: string } {
    const state = this.#options.host.states([memberUnit]).get(memberUnit);
    return state ?? { active: "inactive", sub: "dead", reason: "" };
  }
}
