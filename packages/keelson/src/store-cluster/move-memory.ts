// What a mover must know when it starts again in the middle of a move: from where to where.
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeSecret } from "../authority/private-key.ts";
import { locationCodec } from "../model/store.ts";
import type { StoreLocation } from "../model/store.ts";

export interface RememberedMove {
  /** Endpoints of the store as it was. */
  readonly from: readonly string[];
  readonly location: StoreLocation;
}

const place = (stateDir: string): { readonly memory: string; readonly journal: string } => ({
  memory: join(stateDir, "store", "move.json"),
  journal: join(stateDir, "store", "move.journal"),
});

/** On disk when it resolves. */
export async function rememberMove(
  stateDir: string,
  move: RememberedMove,
): Promise<{ readonly journal: string }> {
  const { memory, journal } = place(stateDir);
  const location = JSON.parse(locationCodec.encode(move.location)) as unknown;
  await writeSecret(memory, JSON.stringify({ from: move.from, location }));
  return { journal };
}

export async function forgetMove(stateDir: string): Promise<void> {
  const { memory } = place(stateDir);
  await rm(memory, { force: true });
}

/** A move that was not brought to its end; undefined when there is none. Throws KEEL-402 when it is damaged. */
export async function unfinishedMove(
  stateDir: string,
): Promise<(RememberedMove & { readonly journal: string }) | undefined> {
  const { memory, journal } = place(stateDir);
  if (!existsSync(memory)) return undefined;
  // Without a journal nothing was sealed yet, or all is done.
  if (!existsSync(journal)) {
    await forgetMove(stateDir);
    return undefined;
  }
  const { from, location } = JSON.parse(await readFile(memory, "utf8")) as {
    readonly from: readonly string[];
    readonly location: unknown;
  };
  return { from, location: locationCodec.decode(memory, Buffer.from(JSON.stringify(location))), journal };
}
