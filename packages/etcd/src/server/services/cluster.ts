import { create } from "@bufbuild/protobuf";
import { MemberListResponseSchema } from "../../proto/generated/etcdserverpb/cluster_pb.ts";
import { encode } from "../messages/generated.ts";
import type { Method } from "../transport/call.ts";
import type { ServiceContext } from "./context.ts";

export interface Membership {
  readonly name: string;
  readonly clientUrls: () => readonly string[];
}

/** etcdserverpb.Cluster: a cluster of one. */
export function clusterService(
  { store, header }: ServiceContext,
  { name, clientUrls }: Membership,
): Record<string, Method> {
  return {
    MemberList: {
      kind: "unary",
      handle: () => {
        const member = { ID: store.memberId, name, clientURLs: [...clientUrls()] };
        const answer = create(MemberListResponseSchema, { members: [member] });
        // As etcd's, this header names no revision.
        return header(0) + encode(MemberListResponseSchema, answer);
      },
    },
  };
}
