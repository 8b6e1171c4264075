// The members of the store itself: who they are, how they are, and how one comes and goes. Only this file knows
// etcd's calls for that; it speaks to each member directly, since each knows best how it is.
import { EtcdClient } from "@keelson/etcd/client";
import type { Member, MemberStatus } from "@keelson/etcd/client";
import type { Clock } from "../base/clock.ts";
import type { StoreAccess } from "./etcd-store.ts";

/** A member as the cluster lists it and as it answers itself. */
export interface StoreMember {
  /** Hexadecimal. */
  readonly id: string;
  /** Empty until it has started for the first time. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
  /** undefined when it does not answer. */
  readonly status: StoreMemberStatus | undefined;
}

export interface StoreMemberStatus {
  /** Hexadecimal. */
  readonly clusterId: string;
  readonly version: string;
  readonly isLeader: boolean;
  readonly hasLeader: boolean;
  readonly revision: number;
  readonly raftTerm: number;
  readonly raftIndex: number;
  readonly raftAppliedIndex: number;
  readonly dbSizeBytes: number;
  readonly dbSizeInUseBytes: number;
  readonly errors: readonly string[];
}

export interface StoreMembership {
  /** Hexadecimal; empty while no member answers. */
  readonly clusterId: string;
  readonly members: readonly StoreMember[];
  readonly alarms: readonly { readonly member: string; readonly alarm: string }[];
}

const withinMs = 2500;

export class StoreMembers implements AsyncDisposable {
  readonly #access: StoreAccess;
  readonly #clock: Clock;
  readonly #client: EtcdClient;

  constructor(access: StoreAccess, clock: Clock) {
    this.#access = access;
    this.#clock = clock;
    this.#client = this.#clientOf(access.endpoints);
  }

  /** The members with their states. Rejects when no member answers. */
  async read(signal?: AbortSignal): Promise<StoreMembership> {
    const settings = { signal, deadlineMs: withinMs, attempts: 2 };
    const listed = await this.#client.memberList(settings);
    const [members, alarms] = await Promise.all([
      Promise.all(listed.map((member) => this.#memberOf(member, signal))),
      this.#client.alarms(settings).catch(() => []),
    ]);
    return {
      clusterId: members.find(({ status }) => status)?.status?.clusterId ?? "",
      members,
      alarms: alarms.map(({ memberId, alarm }) => ({ member: hexadecimal(memberId), alarm })),
    };
  }

  /** Adds a learner that is to be started then. Resolves with its id. */
  async addLearner(peerUrl: string, signal: AbortSignal): Promise<string> {
    const { id } = await this.#client.memberAdd(
      { peerUrls: [peerUrl], isLearner: true },
      { signal, attempts: 1, deadlineMs: 5000 },
    );
    return hexadecimal(id);
  }

  /** Gives a learner its vote. Rejects with LEARNER_NOT_READY while it is behind. */
  async promote(id: string, signal: AbortSignal): Promise<void> {
    await this.#client.memberPromote(BigInt(`0x${id}`), { signal, attempts: 1, deadlineMs: 5000 });
  }

  async remove(id: string, signal: AbortSignal): Promise<void> {
    await this.#client.memberRemove(BigInt(`0x${id}`), { signal, attempts: 1, deadlineMs: 5000 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client[Symbol.asyncDispose]();
  }

  async #memberOf(member: Member, signal: AbortSignal | undefined): Promise<StoreMember> {
    const { clientUrls, isLearner, name, peerUrls } = member;
    const listed = { id: hexadecimal(member.id), name, peerUrls, clientUrls, isLearner };
    if (clientUrls.length === 0) return { ...listed, status: undefined };
    await using client = this.#clientOf(clientUrls);
    try {
      const status = await client.status(undefined, { signal, deadlineMs: withinMs, attempts: 1 });
      return { ...listed, status: statusOf(status) };
    } catch {
      return { ...listed, status: undefined };
    }
  }

  #clientOf(endpoints: readonly string[]): EtcdClient {
    const { tls } = this.#access;
    return new EtcdClient({ endpoints, tls, clock: this.#clock, retry: { attempts: 1 } });
  }
}

function statusOf(status: MemberStatus): StoreMemberStatus {
  const { clusterId, memberId, leader, isLearner: _learner, ...rest } = status;
  return {
    ...rest,
    clusterId: hexadecimal(clusterId),
    isLeader: leader === memberId,
    hasLeader: leader !== 0n,
  };
}

const hexadecimal = (id: bigint): string => id.toString(16);
