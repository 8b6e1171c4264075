import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { EtcdError, GRPC_STATUS, SERVER_REFUSALS } from "../../errors.ts";
import {
  MemberAddRequestSchema,
  MemberListRequestSchema,
  MemberListResponseSchema,
  MemberPromoteRequestSchema,
  MemberRemoveRequestSchema,
  type MemberSchema,
  MemberUpdateRequestSchema,
  MemberUpdateResponseSchema,
} from "../../proto/generated/etcdserverpb/cluster_pb.ts";
import { peerUrlsCommand } from "../commands.ts";
import { decode, encode } from "../messages/generated.ts";
import type { Method } from "../transport/call.ts";
import type { ServiceContext } from "./context.ts";

export interface Membership {
  readonly name: string;
  readonly clientUrls: () => readonly string[];
  /** Under which other members would find it. */
  readonly peerUrls: () => readonly string[];
}

type MemberInit = MessageInitShape<typeof MemberSchema>;

/** host:port behind http and https, anything behind unix; never a path. */
const PEER_URL = /^\s*(https?:\/\/(\[[^\]\s]*\]|[^\s[\]:/?#]*):[^\s:/?#]*|unixs?:\/\/.*)\s*$/;

/** etcdserverpb.Cluster: a cluster of one, which stays one. What is asked is checked as etcd checks it. */
export function clusterService(
  { store, header, access }: ServiceContext,
  { name, clientUrls, peerUrls }: Membership,
): Record<string, Method> {
  const checkMember = (id: bigint): void => {
    if (id !== store.memberId) throw EtcdError.refusal("MEMBER_NOT_FOUND");
  };
  const members = (): MemberInit[] => [
    { ID: store.memberId, name, peerURLs: [...peerUrls()], clientURLs: [...clientUrls()] },
  ];
  return {
    // Linearizable or not: what one member knows is what all know.
    MemberList: {
      kind: "unary",
      handle: (bytes) => {
        decode(MemberListRequestSchema, bytes);
        const answer = create(MemberListResponseSchema, { members: members() });
        // As etcd's, this header names no revision.
        return header(0) + encode(MemberListResponseSchema, answer);
      },
    },
    MemberAdd: {
      kind: "unary",
      handle: (bytes, call) => {
        const { peerURLs } = decode(MemberAddRequestSchema, bytes);
        const areValid = peerURLs.length > 0 && peerURLs.every((url) => PEER_URL.test(url));
        if (!areValid) throw EtcdError.refusal("MEMBER_BAD_URLS");
        access.root(call);
        throw alone("a member cannot be added");
      },
    },
    MemberRemove: {
      kind: "unary",
      handle: (bytes) => {
        checkMember(decode(MemberRemoveRequestSchema, bytes).ID);
        // As etcd answers for its only member: the words of the refusal, without its status.
        const [, message] = SERVER_REFUSALS.MEMBER_NOT_ENOUGH_STARTED;
        throw new EtcdError("MEMBER_NOT_ENOUGH_STARTED", message, { grpcStatus: GRPC_STATUS.UNKNOWN });
      },
    },
    MemberUpdate: {
      kind: "unary",
      handle: async (bytes) => {
        const { ID, peerURLs } = decode(MemberUpdateRequestSchema, bytes);
        checkMember(ID);
        await store.propose(peerUrlsCommand(peerURLs, bytes));
        const answer = create(MemberUpdateResponseSchema, { members: members() });
        return header(0) + encode(MemberUpdateResponseSchema, answer);
      },
    },
    MemberPromote: {
      kind: "unary",
      handle: (bytes) => {
        checkMember(decode(MemberPromoteRequestSchema, bytes).ID);
        throw EtcdError.refusal("MEMBER_NOT_LEARNER");
      },
    },
  };
}

function alone(consequence: string): EtcdError {
  return new EtcdError(
    "INVALID_ARGUMENT",
    `the embedded server is a cluster of one, without peers: ${consequence}. ` +
      "To have more members, restore a snapshot of it into a cluster of etcd.",
    { grpcStatus: GRPC_STATUS.FAILED_PRECONDITION },
  );
}
