// A request in JSON as the protobuf message that the services read. Follows the JSON form of protobuf 3 as
// grpc-gateway 1.16 reads it for etcd: names as in the .proto file or in camel case, numbers also as text,
// bytes in base64, enums by name or number, null as if it were not there, names that nobody knows left out.

import { ScalarType, type DescEnum, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { JsonError, JsonNumber, parseJson, type JsonValue } from "./json-value.ts";

/** Encodes a message. Throws JsonError. */
export function encodeRequest(message: DescMessage, value: JsonValue): Uint8Array {
  const writer = new BinaryWriter();
  writeMessage(writer, message, value);
  return writer.finish();
}

function writeMessage(writer: BinaryWriter, message: DescMessage, value: JsonValue): void {
  if (value === null) return;
  if (!(value instanceof Map)) throw mismatch(value, "map[string]json.RawMessage");
  for (const field of message.fields) {
    const given = value.get(field.name) ?? value.get(field.jsonName);
    if (given === undefined || given === null) continue;
    if (field.fieldKind === "list") {
      if (!Array.isArray(given)) throw mismatch(given, "[]json.RawMessage");
      for (const item of given) writeField(writer, field, item);
    } else writeField(writer, field, given);
  }
}

function writeField(writer: BinaryWriter, field: DescField, value: JsonValue): void {
  const kind = field.fieldKind === "list" ? field.listKind : field.fieldKind;
  switch (kind) {
    case "message":
      writer.tag(field.number, WireType.LengthDelimited).fork();
      writeMessage(writer, field.message as DescMessage, value);
      writer.join();
      return;
    case "enum":
      writer.tag(field.number, WireType.Varint).int32(enumNumber(field.enum as DescEnum, value));
      return;
    case "scalar":
      return writeScalar(writer, field, value);
    default:
      throw new Error(`${field.name} is of a kind that etcd's messages do not have`);
  }
}

function writeScalar(writer: BinaryWriter, field: DescField, value: JsonValue): void {
  switch (field.scalar) {
    case ScalarType.BOOL:
      if (typeof value !== "boolean") throw mismatch(value, "bool");
      writer.tag(field.number, WireType.Varint).bool(value);
      return;
    case ScalarType.STRING:
      if (typeof value !== "string") throw mismatch(value, "string");
      writer.tag(field.number, WireType.LengthDelimited).string(value.toWellFormed());
      return;
    case ScalarType.BYTES:
      writer.tag(field.number, WireType.LengthDelimited).bytes(bytesOf(value));
      return;
    case ScalarType.INT64:
      writer.tag(field.number, WireType.Varint).int64(integerOf(value, "int64"));
      return;
    case ScalarType.UINT64:
      writer.tag(field.number, WireType.Varint).uint64(integerOf(value, "uint64"));
      return;
    case ScalarType.INT32:
      writer.tag(field.number, WireType.Varint).int32(Number(integerOf(value, "int32")));
      return;
    case ScalarType.UINT32:
      writer.tag(field.number, WireType.Varint).uint32(Number(integerOf(value, "uint32")));
      return;
    default:
      throw new Error(`${field.name} is of a type that etcd's requests do not have`);
  }
}

const RANGES = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
} as const;

function integerOf(value: JsonValue, type: keyof typeof RANGES): bigint {
  const number = typeof value === "string" ? numberIn(value) : value;
  if (!(number instanceof JsonNumber)) throw mismatch(number, type);
  const { text } = number;
  const [least, greatest] = RANGES[type];
  const integer = /^-?\d{1,20}$/.test(text) ? BigInt(text) : undefined;
  if (integer !== undefined && integer >= least && integer <= greatest) return integer;
  throw new JsonError(`json: cannot unmarshal number ${text} into Go value of type ${type}`);
}

/** What stands in the quotes, where a number may stand in quotes. */
function numberIn(text: string): JsonValue {
  const value = parseJson(text);
  if (value === undefined) throw new JsonError("unexpected end of JSON input");
  return value;
}

function enumNumber(type: DescEnum, value: JsonValue): number {
  if (typeof value !== "string") return Number(integerOf(value, "int32"));
  const known = type.values.find(({ name }) => name === value);
  if (known === undefined)
    throw new JsonError(`unknown value ${JSON.stringify(value)} for enum ${type.typeName}`);
  return known.number;
}

/** Base64 with its padding and the usual alphabet, line ends in it let pass; or numbers. Both as Go reads them. */
function bytesOf(value: JsonValue): Uint8Array {
  if (Array.isArray(value)) return Uint8Array.from(value, byteOf);
  if (typeof value !== "string") throw mismatch(value, "[]uint8");
  const text = value.replaceAll(/[\r\n]/g, "");
  const fault = faultOf(text);
  if (fault !== undefined) throw new JsonError(`illegal base64 data at input byte ${fault}`);
  return Buffer.from(text, "base64");
}

function byteOf(value: JsonValue): number {
  const byte = value instanceof JsonNumber ? Number(value.text) : Number.NaN;
  if (Number.isInteger(byte) && byte >= 0 && byte <= 255) return byte;
  const given = value instanceof JsonNumber ? `number ${value.text}` : kindOf(value);
  throw new JsonError(`json: cannot unmarshal ${given} into Go value of type uint8`);
}

/** Where Go finds the fault: at the first byte that cannot be there, or where the last, short group begins. */
function faultOf(text: string): number | undefined {
  const letters = /^[A-Za-z0-9+/]*/.exec(text)?.[0].length ?? 0;
  const over = letters % 4;
  if (letters === text.length) return over === 0 ? undefined : letters - over;
  if (text[letters] !== "=" || over < 2) return letters;
  const end = letters - over + 4;
  if (over === 2 && text[letters + 1] !== "=") return letters + 1;
  return text.length > end ? end : undefined;
}

function mismatch(value: JsonValue, type: string): JsonError {
  return new JsonError(`json: cannot unmarshal ${kindOf(value)} into Go value of type ${type}`);
}

function kindOf(value: JsonValue): string {
  if (value instanceof JsonNumber) return "number";
  if (value === null) return "null";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  return value instanceof Map ? "object" : "array";
}
