import { fromBinary, toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { WireError, WireReader } from "../../keyspace/wire.ts";
import { checkWire } from "./strict.ts";

/** Reads a message with the generated code. For those that are rare. Throws WireError. */
export function decode<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  checkWire(schema, new WireReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)));
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new WireError(error instanceof Error ? error.message : String(error));
  }
}

/** A message without its header, encoded by the generated code; fields may stand in any order on the wire. */
export function encode<D extends DescMessage>(schema: D, message: MessageShape<D>): string {
  return Buffer.from(toBinary(schema, message)).toString("latin1");
}
