import type { DaemonClient } from "./daemon/client.ts";
import { byPrefix } from "./prefix.ts";

/** The whole identity of an operation from its beginning. Throws KEEL-506. */
export async function operationId(client: DaemonClient, word: string): Promise<string> {
  const candidates = (await client.operations()).map(({ id }) => ({ names: [id], value: id }));
  return byPrefix(word, candidates, { code: "KEEL-506", what: "operation" });
}
