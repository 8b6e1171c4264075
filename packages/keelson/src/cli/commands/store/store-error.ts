import { KeelError } from "../../../base/errors.ts";
import type { ErrorCode } from "../../../base/error-catalogue.ts";

const codes: Readonly<Record<string, ErrorCode>> = {
  STORE_IN_USE: "KEEL-701",
  STORE_DAMAGED: "KEEL-702",
  STORE_IO: "KEEL-703",
};

/** What the store's library says of a directory, under a code of the product. Anything else as it is. */
export function storeError(error: unknown): unknown {
  const code = error instanceof Error ? codes[(error as { code?: string }).code ?? ""] : undefined;
  return code === undefined ? error : new KeelError(code, (error as Error).message, { cause: error });
}
