import { create } from "@bufbuild/protobuf";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import {
  DowngradeRequest_DowngradeAction as Action,
  DowngradeRequestSchema,
  DowngradeResponseSchema,
} from "../../proto/generated/etcdserverpb/maintenance_pb.ts";
import { decode, encode } from "../messages/generated.ts";
import { CLUSTER_VERSION } from "../options.ts";
import type { Method } from "../transport/call.ts";

/** A version as etcd reads it: two numbers or three, and what semver allows behind them. */
const VERSION = /^(\d+)\.(\d+)(\.\d+)?([-+][0-9A-Za-z.+-]*)?$/;

/** Downgrade. What is asked is checked as etcd checks it; to carry it out there is no older server. */
export function downgradeMethod(header: () => string): Method {
  return {
    kind: "unary",
    handle: (bytes) => {
      const { action, version } = decode(DowngradeRequestSchema, bytes);
      switch (action) {
        case Action.VALIDATE:
          checkTarget(version);
          return (
            header() +
            encode(DowngradeResponseSchema, create(DowngradeResponseSchema, { version: CLUSTER_VERSION }))
          );
        case Action.ENABLE:
          checkTarget(version);
          throw notHere(version);
        case Action.CANCEL:
          throw EtcdError.refusal("NO_INFLIGHT_DOWNGRADE");
        default: {
          const grpcStatus = GRPC_STATUS.UNKNOWN;
          throw new EtcdError("UNIMPLEMENTED", "etcdserver: unknown method", { grpcStatus });
        }
      }
    },
  };
}

/** Only one minor version back is possible. */
function checkTarget(version: string): void {
  const [, major, minor] = VERSION.exec(version) ?? [];
  if (major === undefined) throw EtcdError.refusal("WRONG_DOWNGRADE_VERSION_FORMAT");
  const [ownMajor = 0, ownMinor = 0] = CLUSTER_VERSION.split(".").map(Number);
  if (Number(major) !== ownMajor || Number(minor) !== ownMinor - 1) {
    throw EtcdError.refusal("INVALID_DOWNGRADE_TARGET_VERSION");
  }
}

function notHere(version: string): EtcdError {
  return new EtcdError(
    "INVALID_ARGUMENT",
    `the embedded server has no version ${version}: take a snapshot and restore it with that etcd's own tools`,
    { grpcStatus: GRPC_STATUS.FAILED_PRECONDITION },
  );
}
