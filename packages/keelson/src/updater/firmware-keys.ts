// The keys of this machine's firmware, read from its variables: what is not signed by one of them does not start here,
// and a boot loader that is refused a kernel image does not try the next one by itself.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readSignatureLists } from "../secure-boot/signature-list.ts";
import type { SignatureList } from "../secure-boot/signature-list.ts";
import { variables } from "../secure-boot/variables.ts";
import type { KeyRing } from "../secure-boot/verify.ts";

/** Where Linux shows the variables: four bytes of attributes, then the value. */
export const firmwareVariables = "/sys/firmware/efi/efivars";
const attributeBytes = 4;

/** Undefined unless the firmware demands signatures. Rejects when it does and its keys cannot be read. */
export async function firmwareKeys(folder = firmwareVariables): Promise<KeyRing | undefined> {
  const value = async (name: "SecureBoot" | "db" | "dbx"): Promise<Buffer | undefined> => {
    const path = join(folder, `${name}-${variables[name]}`);
    try {
      return (await readFile(path)).subarray(attributeBytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  };
  if ((await value("SecureBoot"))?.[0] !== 1) return undefined;
  const list = async (name: "db" | "dbx"): Promise<SignatureList> =>
    readSignatureLists((await value(name)) ?? Buffer.alloc(0));
  return { allowed: await list("db"), forbidden: await list("dbx") };
}
