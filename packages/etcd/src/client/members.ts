// The cluster's members and what can be done with them.
import type { Member as WireMember } from "../proto/generated/etcdserverpb/cluster_pb.ts";

export interface Member {
  readonly id: bigint;
  /** Empty until the member has started for the first time. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

export interface NewMember {
  readonly peerUrls: readonly string[];
  /** Receives everything but has no vote until it is promoted. */
  readonly isLearner?: boolean | undefined;
}

/** A member from the wire. */
export function toMember(wire: WireMember): Member {
  return {
    id: wire.ID,
    name: wire.name,
    peerUrls: wire.peerURLs,
    clientUrls: wire.clientURLs,
    isLearner: wire.isLearner,
  };
}
