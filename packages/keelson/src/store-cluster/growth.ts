// Makes a cluster of the embedded store: certificates, members, copy, switch. Run by the keeld that has the
// embedded store; everything before the hand-over is undone when something fails.
import { join } from "node:path";
import { Authority } from "../authority/authority.ts";
import type { Identity } from "../authority/identity.ts";
import type { Clock } from "../base/clock.ts";
import { describeError, KeelError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { keys } from "../model/keys.ts";
import { authorityCodec, memberOrderCodec } from "../model/store.ts";
import type { MemberOrder, StoreLocation } from "../model/store.ts";
import type { EtcdStore, StoreAccess } from "../registry/etcd-store.ts";
import { migrateStore } from "../registry/store-migration.ts";
import { StoreMembers } from "../registry/store-members.ts";
import type { StoreRecords } from "../registry/store-records.ts";
import type { GrowthPlan } from "./growth-plan.ts";
import { clientPort, peerPort, quotaBytes, secureUrl } from "./member-place.ts";
import type { MoveRun } from "./move-run.ts";
import { moveWords } from "./move-words.ts";
import { forgetMove, rememberMove, settleMove } from "./move-memory.ts";

export interface GrowthOptions {
  readonly cluster: string;
  readonly store: EtcdStore;
  readonly records: StoreRecords;
  /** This keeld's certificate as a client. */
  readonly identity: Identity;
  /** This machine's id. */
  readonly machine: string;
  readonly stateDir: string;
  /** Opens a place where the members meet when they start for the first time. */
  readonly openDiscovery: (size: number) => Promise<Discovery>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Discovery extends AsyncDisposable {
  /** For etcd's --discovery. */
  readonly url: string;
}

const certificatesMs = 60_000;
const membersMs = 120_000;
const problemMs = 30_000;
const undoMs = 30_000;
const switchMs = 15_000;

/** Carries the plan out; resolves with the pause of the writers. Throws KEEL-413 when it was undone. */
export async function grow(
  options: GrowthOptions,
  plan: GrowthPlan,
  { run, signal }: { readonly run: MoveRun; readonly signal: AbortSignal },
): Promise<number> {
  const growth = new Growth(options, plan, { run, signal });
  try {
    await growth.prepare();
    return await growth.move();
  } catch (error) {
    options.log.warn("the store's growth failed", { error: describeError(error) });
    const during = run.words;
    if (!(await growth.undo()))
      throw new KeelError("KEEL-602", `the store has moved, but: ${describeError(error)}`, { cause: error });
    throw new KeelError("KEEL-413", `${during}: ${describeError(error)}`, { cause: error });
  }
}

class Growth {
  readonly #options: GrowthOptions;
  readonly #plan: GrowthPlan;
  readonly #run: MoveRun;
  readonly #signal: AbortSignal;
  readonly #access: StoreAccess;
  #discovery: Discovery | undefined;
  #isHandedOver = false;

  constructor(
    options: GrowthOptions,
    plan: GrowthPlan,
    { run, signal }: { readonly run: MoveRun; readonly signal: AbortSignal },
  ) {
    this.#options = options;
    this.#plan = plan;
    this.#run = run;
    this.#signal = signal;
    const endpoints = plan.machines.map(({ address }) => secureUrl(address, clientPort));
    this.#access = { endpoints, tls: () => options.identity.credentials };
  }

  /** Certificates for all, and members that have found each other. */
  async prepare(): Promise<void> {
    const { cluster, stateDir, clock, machine } = this.#options;
    this.#run.tell("makes the authority and certificates");
    const authority = await Authority.keep(join(stateDir, "authority"), cluster, clock);
    const { certificate, fingerprint } = authority;
    const record = authorityCodec.encode({ certificate, fingerprint, holder: machine });
    await this.#put([{ put: keys.storeAuthority, value: record }]);
    const { size, machines } = this.#plan;
    this.#discovery = await this.#options.openDiscovery(size);
    const bootstrap = { discovery: this.#discovery.url };
    const orders = machines.map(({ id, name, address }): MemberOrder => ({
      machine: id,
      name: `${name.toLowerCase()}-${clock.wall().toString(36)}`,
      wanted: "run",
      clientUrl: secureUrl(address, clientPort),
      peerUrl: secureUrl(address, peerPort),
      bootstrap,
      quotaBytes,
    }));
    await this.#put(
      orders.map((order) => ({
        put: keys.storeMember(order.machine),
        value: memberOrderCodec.encode(order),
      })),
    );
    await this.#clientsReady(fingerprint);
    await this.#membersReady();
  }

  /** Copies, seals, compares, hands over. Resolves with the milliseconds that nobody could write. */
  async move(): Promise<number> {
    const { store, records, stateDir, clock } = this.#options;
    await using members = new StoreMembers(this.#access, clock);
    const { clusterId } = await members.read(this.#signal);
    const location: StoreLocation = {
      epoch: (records.location?.epoch ?? 0) + 1,
      kind: "etcd",
      endpoints: [...this.#access.endpoints],
      size: this.#plan.size,
      authority: records.authority?.fingerprint ?? "",
      clusterId,
      since: clock.wall(),
    };
    const from = store.access;
    const memory = await rememberMove(stateDir, { from: from.endpoints, location });
    const { sealedMs } = await migrateStore({
      from,
      to: this.#access,
      location,
      journal: memory.journal,
      onProgress: (progress) => {
        this.#isHandedOver ||= progress.step === "handing over";
        this.#run.tell(moveWords(progress));
      },
      signal: this.#signal,
    });
    this.#isHandedOver = true;
    await forgetMove(stateDir);
    this.#run.tell("switches over");
    await this.#until(
      switchMs,
      () => "this keeld did not follow the store",
      () => store.access.endpoints.join() === location.endpoints.join(),
    );
    await this.#closeDiscovery();
    return sealedMs;
  }

  /** Takes back what was begun. After the hand-over there is no way back: false. */
  async undo(): Promise<boolean> {
    await this.#closeDiscovery();
    this.#run.tell("undoes what was begun");
    const { stateDir, log } = this.#options;
    const settled = await settleMove(this.#options, this.#signal);
    if (settled?.outcome === "done" || (this.#isHandedOver && settled === undefined)) return false;
    try {
      await dismissMembers(this.#options);
      await forgetMove(stateDir);
    } catch (error) {
      log.warn("not everything of the store's growth was undone yet", { error: describeError(error) });
    }
    return true;
  }

  async #clientsReady(fingerprint: string): Promise<void> {
    const { store, records, machine } = this.#options;
    const { values } = await store.range({ key: keys.member(""), end: keys.member("~"), keysOnly: true });
    const all = [machine, ...values.map(({ key }) => key.slice(keys.member("").length))];
    const missing = (): readonly string[] =>
      all.filter((id) => records.client(id)?.authority !== fingerprint);
    const named = (id: string): string =>
      this.#plan.machines.find((one) => one.id === id)?.name ?? (id === machine ? "this keeld" : id);
    const late = (): string => `no certificate has reached ${missing().map(named).join(", ")}`;
    await this.#until(certificatesMs, late, () => {
      this.#run.tell(`certificates: ${all.length - missing().length} of ${all.length} keelds have theirs`);
      return missing().length === 0;
    });
  }

  async #membersReady(): Promise<void> {
    const { clock, records, store } = this.#options;
    const { machines, size } = this.#plan;
    const end = clock.now() + membersMs;
    this.#run.tell("starts the members");
    for (;;) {
      const present = await presentMachines(store, this.#signal);
      const problems = machines.flatMap(({ id, name }) => {
        if (!present.has(id)) return [`${name} is away`];
        const report = records.report(id);
        return report?.problem ? [`${name}: ${report.problem}`] : [];
      });
      await using members = new StoreMembers(this.#access, clock);
      const read = await members.read(this.#signal).catch(() => undefined);
      const ready = read?.members.filter(({ status }) => status?.hasLeader === true).length ?? 0;
      if (ready === size && read?.members.length === size) return;
      this.#run.tell(
        `members: ${ready} of ${size} are up${problems.length > 0 ? `; ${problems.join("; ")}` : ""}`,
      );
      // A problem that lasts is none that mends itself.
      if (problems.length > 0 && clock.now() > end - membersMs + problemMs)
        throw new Error(`given up after ${problemMs / 1000} s`);
      if (clock.now() > end) throw new Error(`${ready} of ${size} members came up in time`);
      await clock.sleep(250, this.#signal);
    }
  }

  async #closeDiscovery(): Promise<void> {
    try {
      await this.#discovery?.[Symbol.asyncDispose]();
    } catch (error) {
      this.#options.log.warn("the discovery service did not end well", { error: describeError(error) });
    }
  }

  async #until(withinMs: number, late: () => string, condition: () => boolean): Promise<void> {
    const { clock } = this.#options;
    for (const end = clock.now() + withinMs; !condition();) {
      if (clock.now() > end) throw new Error(late());
      await clock.sleep(50, this.#signal);
    }
  }

  #put(write: readonly { readonly put: string; readonly value: string }[]): Promise<unknown> {
    return this.#options.store.txn({ compare: [], write }, { signal: this.#signal });
  }
}

/**
 * Has every machine stop its member and delete its data. Resolves when those that are there have; the others do
 * when they come back.
 */
export async function dismissMembers({
  store,
  records,
}: Pick<GrowthOptions, "store" | "records">): Promise<void> {
  const signal = AbortSignal.timeout(undoMs);
  await records.until(() => true, signal);
  const write = records.orders().map((order) => ({
    put: keys.storeMember(order.machine),
    value: memberOrderCodec.encode({ ...order, wanted: "remove" }),
  }));
  if (write.length > 0) await store.txn({ compare: [], write }, { signal });
  const present = await presentMachines(store, signal);
  await records.until(() => !records.orders().some(({ machine }) => present.has(machine)), signal);
}

/** Ids of the machines whose lease lives. */
export async function presentMachines(store: EtcdStore, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const all = { key: keys.machine(""), end: keys.machine("~"), keysOnly: true };
  const { values } = await store.range(all, { signal });
  return new Set(values.map(({ key }) => key.slice(keys.machine("").length)));
}
