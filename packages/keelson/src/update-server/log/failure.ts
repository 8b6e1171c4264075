import { EtcdError } from "@keelson/etcd/disk";
import { KeelError } from "../../base/errors.ts";

const codes: Readonly<Record<string, "KEEL-910" | "KEEL-911" | "KEEL-912">> = {
  STORE_IN_USE: "KEEL-910",
  STORE_DAMAGED: "KEEL-911",
};

/** The write-ahead log's error as one of the product's. */
export function logFailure(error: unknown): unknown {
  if (!(error instanceof EtcdError)) return error;
  return new KeelError(codes[error.code] ?? "KEEL-912", error.message, { cause: error });
}
