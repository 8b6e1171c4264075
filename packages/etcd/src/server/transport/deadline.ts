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
const [LEAST_LENGTH, MOST_LENGTH] = [2, 9];
/** Longer than a timer can wait is as good as never. */
const MOST_MS = 2 ** 31 - 1;

/** Milliseconds of a `grpc-timeout` header. Throws EtcdError for what is none, in the words of grpc-go. */
export function timeoutOf(header: string): number {
  const quoted = JSON.stringify(header);
  if (header.length < LEAST_LENGTH) throw malformed(`transport: timeout string is too short: ${quoted}`);
  if (header.length > MOST_LENGTH) throw malformed(`transport: timeout string is too long: ${quoted}`);
  const unit = UNITS[header.slice(-1)];
  if (unit === undefined) throw malformed(`transport: timeout unit is not recognized: ${quoted}`);
  const digits = header.slice(0, -1);
  if (!/^[+-]?\d+$/.test(digits)) {
    throw malformed(`strconv.ParseInt: parsing ${JSON.stringify(digits)}: invalid syntax`);
  }
  return Number(digits) * unit;
}

/** What a call is told that has had its time. */
export function deadlineExceeded(): EtcdError {
  const { DEADLINE_EXCEEDED: grpcStatus } = GRPC_STATUS;
  return new EtcdError("TIMEOUT", "context deadline exceeded", { grpcStatus });
}

/** Calls back when a call has had its time. */
export function deadline(
  header: string | undefined,
  late: (error: EtcdError) => void,
): NodeJS.Timeout | undefined {
  const milliseconds = header === undefined ? MOST_MS : Math.ceil(timeoutOf(header));
  if (milliseconds >= MOST_MS) return undefined;
  return setTimeout(() => late(deadlineExceeded()), milliseconds).unref();
}

function malformed(why: string): EtcdError {
  const { INTERNAL: grpcStatus } = GRPC_STATUS;
  return new EtcdError("INVALID_ARGUMENT", `malformed grpc-timeout: ${why}`, { grpcStatus });
}
