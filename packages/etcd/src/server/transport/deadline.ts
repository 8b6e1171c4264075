import { EtcdError, GRPC_STATUS } from "../../errors.ts";

/** Milliseconds of the units of `grpc-timeout`. */
const UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
/** Longer than a timer can wait is as good as never. */
const MOST_MS = 2 ** 31 - 1;

/** Milliseconds of a `grpc-timeout` header. Throws EtcdError for what is none. */
export function timeoutOf(header: string): number {
  const match = TIMEOUT.exec(header);
  if (match === null) {
    throw new EtcdError("INVALID_ARGUMENT", `malformed grpc-timeout: ${JSON.stringify(header)}`, {
      grpcStatus: GRPC_STATUS.INTERNAL,
    });
  }
  return Number(match[1]) * (UNITS[match[2] ?? ""] ?? 0);
}

/** Calls back when a call has had its time. */
export function deadline(
  header: string | undefined,
  late: (error: EtcdError) => void,
): NodeJS.Timeout | undefined {
  const milliseconds = header === undefined ? MOST_MS : Math.ceil(timeoutOf(header));
  if (milliseconds >= MOST_MS) return undefined;
  return setTimeout(() => {
    const { DEADLINE_EXCEEDED: grpcStatus } = GRPC_STATUS;
    late(new EtcdError("TIMEOUT", "context deadline exceeded", { grpcStatus }));
  }, milliseconds).unref();
}
