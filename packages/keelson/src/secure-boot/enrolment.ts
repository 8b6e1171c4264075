// What makes a machine's firmware demand signatures: its three keys, as files that set its variables.
import { readSignatureLists, writeSignatureList } from "./signature-list.ts";
import type { Signer } from "./sign.ts";
import type { SignatureList } from "./signature-list.ts";
import { signedVariable } from "./variables.ts";
import type { KeyVariable } from "./variables.ts";

/** In the order in which they are made; firmware gets them the other way round. */
export const keyVariables = ["PK", "KEK", "db"] as const satisfies readonly KeyVariable[];

/** Who signs the new value of each. */
const signedBy: Readonly<Record<KeyVariable, KeyVariable>> = { PK: "PK", KEK: "PK", db: "KEK" };

export const enrolmentFile = (name: KeyVariable): string => `${name}.auth`;

/** The three files by name. `owner` is a UUID; `seconds` since 1970: firmware takes no older value later. */
export function makeEnrolment(
  signers: Readonly<Record<KeyVariable, Signer>>,
  { owner, seconds }: { readonly owner: string; readonly seconds: number },
): ReadonlyMap<string, Buffer> {
  return new Map(
    keyVariables.map((name) => {
      const value = writeSignatureList(signers[name].certificate, owner);
      return [enrolmentFile(name), signedVariable(name, value, { signer: signers[signedBy[name]], seconds })];
    }),
  );
}

/** What a file `NAME.auth` puts into its variable; undefined for what is none. */
export function readEnrolled(file: Buffer): SignatureList | undefined {
  if (file.length < 40 || file.readUInt16LE(22) !== 0x0ef1) return undefined;
  const value = 16 + file.readUInt32LE(16);
  return value > file.length ? undefined : readSignatureLists(file.subarray(value));
}
