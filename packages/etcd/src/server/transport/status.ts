import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import { WireError } from "../../keyspace/wire.ts";

/** How a call ends: status code and message for people. */
export interface Status {
  readonly code: number;
  readonly message: string;
}

/** What a client is told of an error. */
export function statusOf(error: unknown): Status {
  if (error instanceof EtcdError) {
    return { code: error.grpcStatus ?? GRPC_STATUS.UNKNOWN, message: error.message };
  }
  if (isTooLarge(error)) {
    const message = "the answer is larger than 512 MiB: ask for it in parts, with a limit";
    return { code: GRPC_STATUS.RESOURCE_EXHAUSTED, message };
  }
  if (error instanceof WireError || error instanceof RangeError) {
    return { code: GRPC_STATUS.INTERNAL, message: `grpc: error unmarshalling request: ${error.message}` };
  }
  return { code: GRPC_STATUS.INTERNAL, message: error instanceof Error ? error.message : String(error) };
}

/** Answers are strings, and V8's have an end. */
function isTooLarge(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return code === "ERR_STRING_TOO_LONG" || error.message === "Invalid string length";
}

/** A message as the `grpc-message` header has it: bytes outside of printable ASCII, and %, as %XX. */
export function encodeMessage(message: string): string {
  let text = "";
  for (const byte of Buffer.from(message)) {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x25;
    text += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}
