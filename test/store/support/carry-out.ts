import type { JsonValue } from "@bufbuild/protobuf";
import { KV } from "../../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { Lease } from "../../../packages/etcd/src/proto/generated/etcdserverpb/lease_pb.ts";
import { Maintenance } from "../../../packages/etcd/src/proto/generated/etcdserverpb/maintenance_pb.ts";
import { plain, withoutIds } from "./raw-client.ts";
import type { RawClient } from "./raw-client.ts";
import type { Request } from "./random-requests.ts";

/** Makes a request and returns its answer without what differs from server to server. */
export async function carryOut(client: RawClient, request: Request): Promise<JsonValue> {
  switch (request.kind) {
    case "range":
      return plain(KV.method.range, await client.call(KV.method.range, request.request));
    case "put":
      return plain(KV.method.put, await client.call(KV.method.put, request.request));
    case "delete":
      return plain(KV.method.deleteRange, await client.call(KV.method.deleteRange, request.request));
    case "txn":
      return plain(KV.method.txn, await client.call(KV.method.txn, request.request));
    case "compact":
      return plain(KV.method.compact, await client.call(KV.method.compact, request.request));
    case "hash":
      return plain(Maintenance.method.hashKV, await client.call(Maintenance.method.hashKV, request.request));
    case "leases": {
      const listed = await client.call(Lease.method.leaseLeases, request.request);
      // Those whose ids the server chose differ.
      if ("ok" in listed) {
        const known = listed.ok.leases.filter(({ ID }) => ID < 10_000n);
        listed.ok.leases = known.sort((a, b) => Number(a.ID - b.ID));
      }
      return plain(Lease.method.leaseLeases, listed);
    }
    case "grant": {
      const answered = await client.call(Lease.method.leaseGrant, request.request);
      // Without an id the server chooses one, and nothing else ever names it.
      if ("ok" in answered && request.request.ID === 0n) answered.ok.ID = 0n;
      return plain(Lease.method.leaseGrant, answered);
    }
    case "revoke":
      return plain(Lease.method.leaseRevoke, await client.call(Lease.method.leaseRevoke, request.request));
    case "timeToLive": {
      const answered = await client.call(Lease.method.leaseTimeToLive, request.request);
      if ("ok" in answered) {
        answered.ok.keys.sort((a, b) => Buffer.compare(a, b));
        // The seconds that are left depend on when it was asked.
        if (answered.ok.TTL > 0n) answered.ok.TTL = 1n;
      }
      return plain(Lease.method.leaseTimeToLive, answered);
    }
    case "keepAlive":
      return new Promise((resolve) => {
        const stream = client.stream(Lease.method.leaseKeepAlive, {
          message: (message) => {
            stream.halfClose();
            resolve(withoutIds({ ID: String(message.ID), TTL: String(message.TTL) }));
          },
          end: (status) => resolve({ refused: { ...status } }),
        });
        stream.send(request.request);
      });
  }
}
