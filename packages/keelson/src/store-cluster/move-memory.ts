// What a mover must know when it starts again in the middle of a move: from where to where.
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Identity } from "../authority/identity.ts";
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { settleMigration } from "../registry/store-migration.ts";
import { writeSecret } from "../authority/private-key.ts";
import { locationCodec } from "../model/store.ts";
import type { StoreLocation } from "../model/store.ts";

export interface SettleOptions {
  readonly stateDir: string;
  /** This keeld's certificate as a client. */
  readonly identity: Identity;
  readonly clock: Clock;
  readonly log: Log;
}

const settleAgainMs = 5000;

/**
 * Brings a broken move to an end: back where nobody can have been told of the new place, forward otherwise. Tries
 * until both stores can be reached. Resolves with what became of it; undefined when there was none.
 */
export async function settleMove(
  { stateDir, identity, clock, log }: SettleOptions,
  signal: AbortSignal,
): Promise<{ readonly outcome: "undone" | "done"; readonly location: StoreLocation } | undefined> {
  const move = await unfinishedMove(stateDir);
  if (move === undefined) return undefined;
  const { location, journal } = move;
  const { kind, endpoints } = location;
  const tls = () => identity.credentials;
  const [from, to] =
    kind === "etcd"
      ? [{ endpoints: move.from }, { endpoints, tls }]
      : [{ endpoints: move.from, tls }, { endpoints }];
  for (;;) {
    try {
      const outcome = await settleMigration({ from, to, location, journal, onProgress() {}, signal });
      log.info("an unfinished move of the store is settled", { outcome });
      return { outcome, location };
    } catch (error) {
      signal.throwIfAborted();
      log.warn("an unfinished move of the store cannot be settled yet", { error: describeError(error) });
      await clock.sleep(settleAgainMs, signal);
    }
  }
}

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
