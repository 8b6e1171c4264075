// Brings the store back from its cluster into the one machine that can embed it. Run by that machine's keeld;
// everything before the hand-over is undone when something fails, and the cluster goes on.
import { describeError, KeelError } from "../base/errors.ts";
import type { StoreLocation } from "../model/store.ts";
import { StoreMembers } from "../registry/store-members.ts";
import { migrateStore } from "../registry/store-migration.ts";
import { dismissMembers, presentMachines } from "./growth.ts";
import type { GrowthOptions } from "./growth.ts";
import { forgetMove, rememberMove, settleMove } from "./move-memory.ts";
import type { MoveRun } from "./move-run.ts";
import { moveWords } from "./move-words.ts";

/** The embedded store that is to take over. */
export interface ReturnPlace {
  readonly endpoints: readonly string[];
  /** Starts it empty, with what it had put aside. */
  begin(): Promise<void>;
  /** Takes `begin` back. */
  giveUp(): Promise<void>;
  /** What `begin` started is the store from this epoch on. */
  confirm(epoch: number): Promise<void>;
}

/** Machines that have not followed by then find the store by themselves. */
const followMs = 20_000;

/** Resolves with the pause of the writers. Throws KEEL-413 when it was undone. */
export async function comeHome(
  options: GrowthOptions,
  place: ReturnPlace,
  { run, signal }: { readonly run: MoveRun; readonly signal: AbortSignal },
): Promise<number> {
  const { store, records, stateDir, clock, log } = options;
  const before = records.location;
  if (before === undefined) throw new KeelError("KEEL-412", "the store is embedded already");
  const from = store.access;
  const to = { endpoints: place.endpoints };
  let isHandedOver = false;
  let pauseMs: number;
  try {
    run.tell("starts an empty embedded store");
    await place.begin();
    await using empty = new StoreMembers(to, clock);
    const { clusterId } = await empty.read(signal);
    const endpoints = [...place.endpoints];
    const epoch = before.epoch + 1;
    const since = clock.wall();
    const location: StoreLocation = {
      epoch,
      kind: "embedded",
      endpoints,
      size: 1,
      authority: "",
      clusterId,
      since,
    };
    const { journal } = await rememberMove(stateDir, { from: from.endpoints, location });
    const { sealedMs } = await migrateStore({
      from,
      to,
      location,
      journal,
      onProgress: (progress) => {
        isHandedOver ||= progress.step === "handing over";
        run.tell(moveWords(progress));
      },
      signal,
    });
    isHandedOver = true;
    pauseMs = sealedMs;
    await place.confirm(epoch);
    await forgetMove(stateDir);
  } catch (error) {
    const during = run.words;
    run.tell("undoes what was begun");
    const settled = await settleMove(options, signal);
    if (isHandedOver || settled?.outcome === "done") throw error;
    await place.giveUp();
    await forgetMove(stateDir);
    throw new KeelError("KEEL-413", `${during}: ${describeError(error)}`, { cause: error });
  }
  run.tell("switches over");
  await everybodyFollowed(options, signal);
  run.tell("ends the former members");
  await dismissMembers(options).catch(() => log.warn("not every machine has ended its member yet"));
  return pauseMs;
}

/** The former members are needed until every keeld that is there has gone to the new place. */
async function everybodyFollowed(
  { store, records, clock, machine }: GrowthOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const end = clock.now() + followMs; clock.now() < end; await clock.sleep(100, signal)) {
    const epoch = records.location?.epoch;
    const all = [machine, ...(await presentMachines(store, signal))];
    if (epoch !== undefined && all.every((id) => records.client(id)?.epoch === epoch)) return;
  }
}
