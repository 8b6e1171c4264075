// An answer of a service, as JSON in the form of grpc-gateway 1.16: names as in the .proto file, 64-bit numbers as
// text, bytes in base64, enums by name, and nothing that has its default value.

import { fromBinary, ScalarType, type DescEnum, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { reflect, type ReflectList, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { quoteJson } from "./json-value.ts";

/** The JSON of an encoded message (a latin1 string, as services answer). */
export function answerJson(message: DescMessage, encoded: string): string {
  return messageJson(reflect(message, fromBinary(message, Buffer.from(encoded, "latin1"))));
}

function messageJson(message: ReflectMessage): string {
  const members: string[] = [];
  for (const field of message.desc.fields) {
    if (!message.isSet(field)) continue;
    const value: unknown = message.get(field);
    const json =
      field.fieldKind === "list"
        ? `[${[...(value as ReflectList)].map((item) => valueJson(field, item)).join(",")}]`
        : valueJson(field, value);
    members.push(`"${field.name}":${json}`);
  }
  return `{${members.join(",")}}`;
}

function valueJson(field: DescField, value: unknown): string {
  const kind = field.fieldKind === "list" ? field.listKind : field.fieldKind;
  if (kind === "message") return messageJson(value as ReflectMessage);
  if (kind === "enum") return enumJson(field.enum as DescEnum, value as number);
  if (value instanceof Uint8Array) {
    return `"${Buffer.from(value.buffer, value.byteOffset, value.length).toString("base64")}"`;
  }
  if (typeof value === "string") return quoteJson(value);
  const is64Bit = field.scalar === ScalarType.INT64 || field.scalar === ScalarType.UINT64;
  return is64Bit ? `"${String(value)}"` : String(value);
}

function enumJson(type: DescEnum, number: number): string {
  const name = type.value[number]?.name;
  return name === undefined ? String(number) : `"${name}"`;
}
