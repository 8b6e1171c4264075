// The generated code reads past some errors: a field of the wrong wire type, a length beyond the end. A server of
// Go refuses them, so they are looked for before it reads.

import { ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { WireError, WireReader } from "../../keyspace/wire.ts";

/** Throws WireError unless all bytes of a message, and of those in it, are what its fields say. */
export function checkWire(schema: DescMessage, reader: WireReader): void {
  for (let number = reader.next(); number !== 0; number = reader.next()) {
    const field = schema.fields.find((known) => known.number === number);
    if (field !== undefined) checkField(field, reader);
    else reader.skip();
  }
}

function checkField(field: DescField, reader: WireReader): void {
  const isPacked = field.fieldKind === "list" && field.listKind !== "message" && reader.wireType === 2;
  if (reader.wireType !== wireTypeOf(field) && !isPacked) {
    throw new WireError(`wrong wire type ${reader.wireType} for field ${field.name}`);
  }
  const { message } = field;
  if (message === undefined) return reader.skip();
  reader.message((inner) => checkWire(message, inner));
}

function wireTypeOf(field: DescField): number {
  if (field.message !== undefined || field.fieldKind === "map") return 2;
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return 2;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 1;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return 5;
    default:
      return 0;
  }
}
