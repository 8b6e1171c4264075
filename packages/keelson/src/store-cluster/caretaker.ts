// The leader's care for the store's members: asks the decider for one step at a time and carries it out. daemons/
// runs it for as long as a reign lasts.
// Invariants: each record that it writes compares the leader's election key; what a leader before it began is
// found in etcd's own list and gone on with, so nothing depends on who does the next step.
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { repair } from "../membership/repair.ts";
import type { RepairFacts, RepairMember, RepairStep } from "../membership/repair.ts";
import { keys } from "../model/keys.ts";
import type { Member } from "../model/machine.ts";
import { locationCodec, memberOrderCodec } from "../model/store.ts";
import type { MemberOrder, StoreLocation } from "../model/store.ts";
import type { ClusterView } from "../registry/cluster-view.ts";
import type { EtcdStore } from "../registry/etcd-store.ts";
import type { Leadership } from "../registry/leadership.ts";
import { writeAlarm } from "../registry/orders.ts";
import type { StoreWrite } from "../registry/store-client.ts";
import { StoreMembers } from "../registry/store-members.ts";
import type { StoreMember, StoreMembership } from "../registry/store-members.ts";
import type { StoreRecords } from "../registry/store-records.ts";
import { clientPort, peerPort, quotaBytes, secureUrl } from "./member-place.ts";
import { hostOf, storeMembersAlarm, storeMembersWords } from "./status.ts";

export interface CaretakerOptions {
  readonly store: EtcdStore;
  readonly records: StoreRecords;
  /** The machines, watched since before the election. */
  readonly machines: ClusterView;
  readonly leadership: Leadership;
  /** How long a machine may be gone before its member is replaced. */
  readonly graceMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** While something is under way, and while nothing is. */
const busyMs = 1000;
const idleMs = 10_000;
/** A learner that is this many entries behind is in sync: etcd's own measure is nine tenths. */
const inSyncEntries = 1000;

/** Returns when the reign is over. */
export async function careForStore(options: CaretakerOptions): Promise<void> {
  const { leadership, records, clock, log } = options;
  const { over } = leadership;
  const sign = new MembersAlarm(options);
  while (!over.aborted) {
    let waitMs = idleMs;
    try {
      const { location } = records;
      if (location?.kind === "etcd") waitMs = await new Pass(options, location, sign).run();
      else await sign.show("");
    } catch (error) {
      if (over.aborted) break;
      log.debug("the store's members could not be looked after", { error: describeError(error) });
      waitMs = busyMs;
    }
    await clock.sleep(waitMs, over).catch(() => undefined);
  }
}

/** Tells everybody what is wrong with the members, and what is done about it. */
class MembersAlarm {
  readonly #options: CaretakerOptions;
  #shown: string | undefined;

  constructor(options: CaretakerOptions) {
    this.#options = options;
  }

  /** Words for the alarm; empty for none. */
  async show(words: string): Promise<void> {
    const { store, leadership } = this.#options;
    const options = { signal: leadership.over };
    this.#shown ??= await storeMembersWords(store, leadership.over);
    if (words === this.#shown) return;
    const text = words === "" ? undefined : words;
    await writeAlarm(store, leadership.fence, { name: storeMembersAlarm, text }, options);
    this.#shown = words;
  }
}

class Pass {
  readonly #options: CaretakerOptions;
  readonly #location: StoreLocation;
  readonly #alarm: MembersAlarm;

  constructor(options: CaretakerOptions, location: StoreLocation, alarm: MembersAlarm) {
    this.#options = options;
    this.#location = location;
    this.#alarm = alarm;
  }

  /** One look and at most one step; returns when to look again. */
  async run(): Promise<number> {
    const { store, clock, leadership, log } = this.#options;
    await using members = new StoreMembers(store.access, clock);
    const membership = await members.read(leadership.over);
    if (await this.#complete(membership)) return busyMs;
    const facts = this.#facts(membership);
    const step = repair(facts);
    await this.#alarm.show(step.kind === "none" ? "" : step.words);
    if (step.kind === "none") return idleMs;
    if (step.kind === "wait") return busyMs;
    log.info("changes the store's members", { step: step.kind, because: step.words });
    leadership.over.throwIfAborted();
    await this.#carryOut(step, members);
    return busyMs / 10;
  }

  #facts({ members }: StoreMembership): RepairFacts {
    const { machines, records, graceMs, clock } = this.#options;
    const { goneSince, snapshot } = machines;
    const newest = Math.max(0, ...members.map(({ status }) => status?.raftIndex ?? 0));
    return {
      size: this.#location.size,
      members: members.map((member) => this.#memberOf(member, newest)),
      machines: [...snapshot.members.values()].map(({ id, name }) => {
        const since = goneSince.get(id);
        const zone = snapshot.machines.get(id)?.metadata["zone"] ?? "";
        return { id, name, zone, goneMs: since === undefined ? undefined : clock.now() - since };
      }),
      asked: records.replacements(),
      graceMs,
    };
  }

  #memberOf(member: StoreMember, newest: number): RepairMember {
    const { status, id, isLearner } = member;
    const machine = this.#machineOf(member);
    const behind = newest - (status?.raftAppliedIndex ?? 0);
    return {
      id,
      machine: machine?.id,
      name: machine?.name ?? (member.name || id),
      isLearner,
      isHealthy: status?.hasLeader === true,
      isInSync: status !== undefined && behind < inSyncEntries,
    };
  }

  /** By the address under which the other members reach it. */
  #machineOf({ peerUrls }: StoreMember): Member | undefined {
    const hosts = peerUrls.map(hostOf);
    return [...this.#options.machines.snapshot.members.values()].find(({ address }) =>
      hosts.includes(address),
    );
  }

  async #carryOut(step: RepairStep, members: StoreMembers): Promise<void> {
    const { leadership, machines } = this.#options;
    const { over } = leadership;
    switch (step.kind) {
      case "none":
      case "wait":
        return;
      case "add": {
        const address = machines.snapshot.members.get(step.machine)?.address;
        if (address !== undefined) await members.addLearner(secureUrl(address, peerPort), over);
        return;
      }
      case "promote":
        return members.promote(step.member, over);
      case "remove":
        return members.remove(step.member, over);
    }
  }

  /** Brings the records in line with etcd's own list: orders to machines, and where the store is. */
  async #complete(membership: StoreMembership): Promise<boolean> {
    const write = [
      ...this.#ordersToJoin(membership),
      ...this.#ordersToLeave(membership),
      ...this.#newLocation(membership),
      ...this.#forgotten(),
    ];
    if (write.length === 0) return false;
    const { store, leadership } = this.#options;
    const { succeeded } = await store.txn(
      { compare: leadership.fence, write: write.slice(0, 100) },
      { signal: leadership.over },
    );
    if (!succeeded) throw new Error("this machine leads no more");
    return true;
  }

  /** Members that etcd waits for, and whose machines do not know yet. */
  #ordersToJoin({ members }: StoreMembership): StoreWrite[] {
    return members.flatMap((member) => {
      const machine = this.#machineOf(member);
      if (member.name !== "" || machine === undefined) return [];
      const name = `${machine.name.toLowerCase()}-${member.id}`;
      if (this.#options.records.order(machine.id)?.name === name) return [];
      const peers = members.flatMap((other) =>
        other.peerUrls.map((url) => `${other.id === member.id ? name : other.name}=${url}`),
      );
      const order: MemberOrder = {
        machine: machine.id,
        name,
        wanted: "run",
        clientUrl: secureUrl(machine.address, clientPort),
        peerUrl: secureUrl(machine.address, peerPort),
        bootstrap: { join: peers.filter((peer) => !peer.startsWith("=")).join(",") },
        quotaBytes,
      };
      return [{ put: keys.storeMember(machine.id), value: memberOrderCodec.encode(order) }];
    });
  }

  #ordersToLeave({ members }: StoreMembership): StoreWrite[] {
    const there = new Set(members.flatMap(({ peerUrls }) => peerUrls));
    const orders = this.#options.records.orders();
    return orders.flatMap((order) => {
      if (order.wanted === "remove" || there.has(order.peerUrl)) return [];
      const value = memberOrderCodec.encode({ ...order, wanted: "remove" });
      return [{ put: keys.storeMember(order.machine), value }];
    });
  }

  #newLocation({ members, clusterId }: StoreMembership): StoreWrite[] {
    const voters = members.filter(({ isLearner, clientUrls }) => !isLearner && clientUrls.length > 0);
    const endpoints = voters.flatMap(({ clientUrls }) => clientUrls).toSorted();
    const before = this.#location;
    if (endpoints.length === 0 || endpoints.join() === before.endpoints.toSorted().join()) return [];
    const since = this.#options.clock.wall();
    const location: StoreLocation = {
      ...before,
      epoch: before.epoch + 1,
      endpoints,
      clusterId: clusterId || before.clusterId,
      since,
    };
    return [{ put: keys.storeLocation, value: locationCodec.encode(location) }];
  }

  /** Orders to machines that were removed from the cluster: when one comes back it sees by itself that it is none. */
  #forgotten(): StoreWrite[] {
    const { records, machines } = this.#options;
    const orders = records.orders().filter(({ wanted }) => wanted === "remove");
    return orders.flatMap(({ machine }) =>
      machines.snapshot.members.has(machine) ? [] : [{ delete: keys.storeMember(machine) }],
    );
  }
}
