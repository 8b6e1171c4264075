// The firmware's variables of Secure Boot, and files that set them: signed, so that firmware takes a new value from
// anybody who has one. Source: UEFI 2.10, sections 8.2.2 "EFI_VARIABLE_AUTHENTICATION_2" and 32.3 "Secure Boot".
import type { Signer } from "./sign.ts";
import { signDetached } from "./sign.ts";
import { guidBytes } from "./signature-list.ts";

const globalVariables = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
const securityDatabase = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";

/** Variables, and the UUIDs of their vendors: PK may set KEK, KEK may set db, and db starts programs. */
export const variables = {
  PK: globalVariables,
  KEK: globalVariables,
  db: securityDatabase,
  dbx: securityDatabase,
  SecureBoot: globalVariables,
  SetupMode: globalVariables,
} as const;

export type KeyVariable = "PK" | "KEK" | "db";

/** Kept without power; readable at the start and later; new values are signed and carry a time. */
const attributes = 0x27;
const signedDataKind = guidBytes("4aafd29d-68df-49ee-8aa9-347d375665a7");

/**
 * The content of a file `NAME.auth`: a value of a variable, signed by who may set it. `seconds` since 1970 say which of
 * two values is newer; firmware takes no older one.
 */
export function signedVariable(
  name: KeyVariable,
  value: Buffer,
  by: { readonly signer: Signer; readonly seconds: number },
): Buffer {
  const time = timeBytes(by.seconds);
  const kinds = Buffer.alloc(4);
  kinds.writeUInt32LE(attributes);
  const signed = Buffer.concat([
    Buffer.from(name, "utf16le"),
    guidBytes(variables[name]),
    kinds,
    time,
    value,
  ]);
  const signature = signDetached(signed, by.signer);
  // WIN_CERTIFICATE_UEFI_GUID
  const head = Buffer.alloc(8);
  head.writeUInt32LE(head.length + signedDataKind.length + signature.length);
  head.writeUInt16LE(0x0200, 4);
  head.writeUInt16LE(0x0ef1, 6);
  return Buffer.concat([time, head, signedDataKind, signature, value]);
}

/** EFI_TIME, in UTC: year, month, day, hour, minute, second; what follows has to be zero. */
function timeBytes(seconds: number): Buffer {
  const time = new Date(seconds * 1000);
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(time.getUTCFullYear());
  bytes.set(
    [
      time.getUTCMonth() + 1,
      time.getUTCDate(),
      time.getUTCHours(),
      time.getUTCMinutes(),
      time.getUTCSeconds(),
    ],
    2,
  );
  return bytes;
}
