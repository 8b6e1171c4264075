// Restores the store that runs in this daemon. The API asks for it; daemons/ makes one beside the embedded store.
// Invariants: what is put in place was read as a whole before; the present store goes on if anything fails before
// it answers no more, and is kept when it was replaced; a crash leaves one of the two.
import { mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { KeysStore } from "@keelson/etcd/rest";
import { checkStore, restoreSnapshot } from "@keelson/etcd/server";
import type { Clock } from "../base/clock.ts";
import { describeError, KeelError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { RestorePlan, StoreRestore } from "../model/backup.ts";
import { carryOver } from "./carry-over.ts";
import { settleSwap, swapDirectories, type SwapStep } from "./directory-swap.ts";
import { planRestore } from "./restore-plan.ts";
import { contentsOf, openAlone, revisionOf } from "./store-contents.ts";

/** The embedded store that is to be replaced. */
export interface RestoredPlace {
  readonly dataDir: string;
  /** What it holds; undefined while it does not run. What is got before a stop can still be read after it. */
  readonly keys: KeysStore | undefined;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface RunningRestoreOptions {
  readonly place: RestoredPlace;
  /** Resolves once this daemon's own client is answered by the store. */
  readonly answers: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Told of each step that is on disk. */
  readonly reached?: (step: RestoreStep) => void;
}

export const restoreSteps = ["stopped", "carried over"] as const;
export type RestoreStep = (typeof restoreSteps)[number] | SwapStep;

/** What stays free on the disk. */
const reserveBytes = 64 << 20;
/** A restored store that has not answered by then is taken back. */
const answerMs = 15_000;
const scratchSuffix = ".restore";

/** Puts in order what a restore has left that was broken off. To be called before the directory is used. */
export async function settleRestore(dataDir: string): Promise<"old" | "new" | undefined> {
  const outcome = await settleSwap(dataDir);
  await rm(dataDir + scratchSuffix, { recursive: true, force: true });
  return outcome;
}

export class RunningRestore implements StoreRestore {
  readonly #options: RunningRestoreOptions;
  #plan: RestorePlan | undefined;
  #stoppedMs = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: RunningRestoreOptions) {
    this.#options = options;
  }

  plan(file: AsyncIterable<Uint8Array>): Promise<RestorePlan> {
    return this.#alone(async () => {
      await this.#forget();
      try {
        await this.#receive(file);
        return (this.#plan = await this.#prove());
      } catch (error) {
        await this.#forget();
        throw error;
      }
    });
  }

  drop(): Promise<void> {
    return this.#alone(() => this.#forget());
  }

  carryOut(
    id: string,
    tell: (words: string) => void,
  ): Promise<{ readonly keptAs: string; readonly pauseMs: number }> {
    return this.#alone(async () => {
      const { clock, log } = this.#options;
      const plan = this.#plan;
      if (plan?.id !== id)
        throw new KeelError("KEEL-403", "the plan is outdated: another backup was handed in since");
      try {
        await this.#replace(plan, tell);
      } finally {
        await this.#forget();
      }
      log.warn("the store was restored from a backup", {
        revision: plan.backup.revision,
        keptAs: plan.keptAs,
      });
      return { keptAs: plan.keptAs, pauseMs: Math.round(clock.now() - this.#stoppedMs) };
    });
  }

  async #replace({ keptAs }: RestorePlan, tell: (words: string) => void): Promise<void> {
    const { place, answers, log, reached = () => undefined } = this.#options;
    const swap = { place: place.dataDir, incoming: this.#restored, kept: keptAs };
    let isSwapped = false;
    try {
      await this.#stopAndCarryOver(tell, reached);
      tell("puts the restored store in its place");
      await swapDirectories(swap, reached);
      isSwapped = true;
      tell("starts the restored store");
      await place.start();
      await answers(AbortSignal.timeout(answerMs));
    } catch (error) {
      log.error("the store was not restored", { error: describeError(error) });
      tell("takes the store back that was");
      await place.stop();
      if (isSwapped) {
        const failed = join(this.#scratch, "failed");
        await swapDirectories({ place: place.dataDir, incoming: keptAs, kept: failed });
      }
      await place.start();
      throw new KeelError("KEEL-725", describeError(error), { cause: error });
    }
  }

  async #stopAndCarryOver(
    tell: (words: string) => void,
    reached: (step: RestoreStep) => void,
  ): Promise<void> {
    const { place, clock } = this.#options;
    const { keys } = place;
    if (keys === undefined) throw new KeelError("KEEL-724", "the embedded store does not run");
    // Opened while the present store still answers: nobody waits for that.
    await using restored = await openAlone(this.#restored);
    tell("stops the store");
    this.#stoppedMs = clock.now();
    await place.stop();
    reached("stopped");
    tell("carries over where units run");
    await carryOver(keys, restored.keys);
    reached("carried over");
  }

  async #receive(file: AsyncIterable<Uint8Array>): Promise<void> {
    const { place } = this.#options;
    try {
      await mkdir(this.#scratch, { mode: 0o700 });
      await using handle = await open(this.#file, "wx", 0o600);
      let bytes = 0;
      let checkAt = 0;
      for await (const piece of file) {
        bytes += piece.length;
        if (bytes >= checkAt) {
          const { bavail, bsize } = await statfs(this.#scratch);
          // The store that is made of the file takes about as much again.
          if (bavail * bsize < reserveBytes + bytes)
            throw new KeelError("KEEL-605", `the disk of ${place.dataDir} has no room for the backup`);
          checkAt = bytes + reserveBytes / 4;
        }
        await handle.writeFile(piece);
      }
    } catch (cause) {
      if (cause instanceof KeelError) throw cause;
      throw new KeelError("KEEL-703", `${this.#file} cannot be written: ${describeError(cause)}`, { cause });
    }
  }

  /** Restores it beside the store and reads it as a start would. */
  async #prove(): Promise<RestorePlan> {
    const { place, clock, random } = this.#options;
    const dataDir = this.#restored;
    let revision: number;
    try {
      await restoreSnapshot({ file: this.#file, dataDir });
      await rm(this.#file);
      const check = await checkStore({ dataDir });
      if (check.damage.length > 0) throw new Error(`what was restored is damaged: ${check.damage[0]?.what}`);
      ({ revision } = check);
    } catch (cause) {
      const what = describeError(cause).replaceAll(this.#file, "the file");
      throw new KeelError("KEEL-721", `the backup cannot be restored: ${what}`, { cause });
    }
    if (place.keys === undefined) throw new KeelError("KEEL-724", "the embedded store does not run");
    await using alone = await openAlone(dataDir);
    const present = await revisionOf(place.keys);
    const { backupKeys, storeKeys, ...differences } = await planRestore(
      contentsOf(place.keys, present),
      contentsOf(alone.keys, await revisionOf(alone.keys)),
    ).catch((error: unknown) => {
      if ((error as { readonly code?: unknown }).code !== "COMPACTED") throw error;
      throw new KeelError("KEEL-403", "the store was compacted while it was compared", { cause: error });
    });
    const at = clock.wall();
    return {
      id: Math.floor(random.next() * 2 ** 48).toString(36),
      backup: { revision, keys: backupKeys },
      store: { revision: present, keys: storeKeys, at },
      ...differences,
      keptAs: `${place.dataDir}.before-restore-${new Date(at).toISOString().replaceAll(/[-:]|\.\d+/g, "")}`,
    };
  }

  async #forget(): Promise<void> {
    this.#plan = undefined;
    await rm(this.#scratch, { recursive: true, force: true });
  }

  #alone<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(step);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  get #scratch(): string {
    return this.#options.place.dataDir + scratchSuffix;
  }

  get #file(): string {
    return join(this.#scratch, "backup.db");
  }

  get #restored(): string {
    return join(this.#scratch, "store");
  }
}
