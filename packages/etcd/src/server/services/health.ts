// grpc.health.v1: what load balancers, Kubernetes' gRPC probes and clients with health checks ask. Source:
// https://github.com/grpc/grpc/blob/master/doc/health-checking.md

import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import { intField, WireReader } from "../../keyspace/wire.ts";
import type { Method } from "../transport/call.ts";

const [SERVING, SERVICE_UNKNOWN] = [1, 3];

/** grpc.health.v1.Health. As in etcd the server as a whole, "", is the only one that has a status. */
export function healthService(): Record<string, Method> {
  return {
    Check: {
      kind: "unary",
      handle: (bytes) => {
        if (askedFor(bytes) === "") return answer(SERVING);
        throw new EtcdError("UNIMPLEMENTED", "unknown service", { grpcStatus: GRPC_STATUS.NOT_FOUND });
      },
    },
    // Nothing changes while the server runs: the first answer is the only one.
    Watch: {
      kind: "stream",
      open: (call) => {
        let isAsked = false;
        return {
          message: (bytes) => {
            if (isAsked) return;
            isAsked = true;
            call.send(answer(askedFor(bytes) === "" ? SERVING : SERVICE_UNKNOWN));
          },
          halfClosed: () => undefined,
          drained: () => undefined,
          closed: () => undefined,
        };
      },
    },
  };
}

/** The service of a HealthCheckRequest. */
function askedFor(bytes: Buffer): string {
  const reader = new WireReader(bytes);
  let service = "";
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) service = reader.bytes();
    else reader.skip();
  }
  return service;
}

function answer(status: number): string {
  return intField("\x08", status);
}
