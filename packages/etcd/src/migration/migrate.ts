// Moves a live store into an empty one: copies its history, follows its changes, seals it, proves that both are
// equal, hands over. Invariants: the source serves everyone until it is sealed, and again after any failure up to
// the first last write; from that write on the move only goes forward; everything that has to be known to go on or
// back is in the journal before it happens.

import { randomBytes } from "node:crypto";
import { EtcdClient, EtcdError, type HashKv } from "../client/index.ts";
import { Follower } from "./follower.ts";
import { Journal, type JournalEntry } from "./journal.ts";
import { LastWrites } from "./last-writes.ts";
import { LeaseMirror, pause } from "./leases.ts";
import type { MigrationOptions, MigrationResult, MigrationStep } from "./options.ts";
import { plan } from "./plan.ts";
import { readContents } from "./read-history.ts";
import { currentRevision, Replayer } from "./replayer.ts";
import { checkSealable, hasAuth, sealOf, SEALING_USER, type SourceSeal } from "./seal.ts";

const MOST_LAG = 200;
const MAX_TXN_OPS = 128;
const MOST_SEALED_MS = 30_000;
const LEASE_POLL_MS = 1000;
const LAG_POLL_MS = 50;
const DEADLINE_MS = 10_000;
const TRIES = 3;
const MOST_LOOKS = 40;
/** How long the target may stay behind before the source is sealed all the same. */
const PATIENCE_MS = 15_000;

/**
 * Moves a store. Rejects with MIGRATION_REFUSED if it cannot be moved as things are, MIGRATION_FAILED or another
 * EtcdError if something went wrong: the source then serves as before, the target is of no use and the journal is
 * gone. Only if the source could not be unsealed, or the hand-over had begun, does the journal stay: then call
 * {@link resumeMigration} or {@link undoMigration}.
 */
export async function migrate(options: MigrationOptions): Promise<MigrationResult> {
  const entry: JournalEntry = {
    format: 1,
    step: "copying",
    from: options.from.endpoints,
    to: options.to.endpoints,
    secret: randomBytes(24).toString("hex"),
    successor: options.successor,
    writes: [],
  };
  await using move = new Move(options, await Journal.create(options.journal, entry));
  return await move.run();
}

/**
 * Goes on with a move whose mover ended. Rejects as {@link migrate} does; a move that had not copied everything yet
 * is taken back and MIGRATION_FAILED says so.
 */
export async function resumeMigration(options: MigrationOptions): Promise<MigrationResult> {
  const journal = await Journal.open(options.journal);
  if (journal.entry.step === "copying") {
    await journal.remove();
    throw new EtcdError(
      "MIGRATION_FAILED",
      "the mover ended before the target had everything; the source was not touched. Make the target anew and begin again",
    );
  }
  await using move = new Move(options, journal);
  return await move.run();
}

/**
 * Takes a move back whose mover ended: the source serves as before. Throws MIGRATION_REFUSED if the hand-over has
 * begun, since the source may have told others where to go.
 */
export async function undoMigration(
  options: Pick<MigrationOptions, "from" | "to" | "journal">,
): Promise<void> {
  const whole: MigrationOptions = { ...options, successor: [], handOver: () => Promise.resolve() };
  await using move = new Move(whole, await Journal.open(options.journal));
  await move.undo();
}

class Move implements AsyncDisposable {
  readonly #options: MigrationOptions;
  readonly #journal: Journal;
  readonly #source: EtcdClient;
  readonly #target: EtcdClient;
  readonly #leases: LeaseMirror;
  readonly #ended = new AbortController();
  /** A process does not end in the middle of a move because all that it waits for just now is a timer of others. */
  readonly #awake = setInterval(() => undefined, 1000);
  #replayer: Replayer | undefined;
  #step: MigrationStep = "checking";
  #sourceRevision = 0;
  #sealedAt: number | undefined;
  #seal: SourceSeal | undefined;

  constructor(options: MigrationOptions, journal: Journal) {
    this.#options = options;
    this.#journal = journal;
    const auth = { username: SEALING_USER, password: journal.entry.secret };
    this.#source = new EtcdClient({ deadlineMs: DEADLINE_MS, ...options.from, auth });
    this.#target = new EtcdClient({ deadlineMs: DEADLINE_MS, ...options.to });
    this.#leases = new LeaseMirror({ source: this.#source, target: this.#target });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#awake);
    this.#ended.abort();
    await this.#source[Symbol.asyncDispose]();
    await this.#target[Symbol.asyncDispose]();
  }

  async run(): Promise<MigrationResult> {
    const onAbort = (): void => this.#ended.abort(this.#options.signal?.reason);
    this.#options.signal?.addEventListener("abort", onAbort, { once: true });
    if (this.#options.signal?.aborted === true) onAbort();
    try {
      return await this.#run();
    } catch (error) {
      const failure = this.#asFailure(error);
      const { step, writes } = this.#journal.entry;
      if (step === "handed over" || writes.length > 0) throw failure;
      await this.#takeBack(failure);
      throw failure;
    } finally {
      this.#options.signal?.removeEventListener("abort", onAbort);
    }
  }

  async undo(): Promise<void> {
    const { writes, step } = this.#journal.entry;
    if (step === "handed over" || (writes.length > 0 && (await this.#sourceHas(writes)))) {
      throw new EtcdError(
        "MIGRATION_REFUSED",
        "the source has already told where the store is now: the move can only be finished",
      );
    }
    await (await this.#sealing()).open();
    await this.#journal.remove();
  }

  async #run(): Promise<MigrationResult> {
    const { entry } = this.#journal;
    this.#report("checking");
    const isSealed = (): boolean => this.#sealedAt !== undefined && this.#seal?.leasesRunOut === true;
    if (entry.writes.length > 0) {
      this.#leases.adopt((await readContents(this.#target)).leases);
      if (entry.step !== "handed over") await this.#goForward();
    } else {
      if (entry.step === "copying") await this.#copy();
      else await this.#takeUp();
      void this.#leases.keepAlive(isSealed, this.#ended.signal);
      await this.#hand(this.#copied());
    }
    await this.#finish();
    const { revision = 0, hash = 0 } = this.#journal.entry.final ?? {};
    await this.#journal.remove();
    this.#report("done");
    const sealedMs = performance.now() - (this.#sealedAt ?? performance.now());
    return { revision, hash, leases: this.#leases.copied.size, sealedMs };
  }

  /** The whole history up to some revision of the source. */
  async #copy(): Promise<void> {
    await this.#check();
    this.#report("reading");
    const { signal } = this.#ended;
    const { history, leases } = await readContents(this.#source, signal);
    this.#sourceRevision = history.revision;
    this.#report("copying");
    const { target, onRevision } = { target: this.#target, onRevision: () => this.#report(this.#step) };
    const { maxTxnOps = MAX_TXN_OPS } = this.#options;
    this.#replayer = new Replayer({ target, maxTxnOps, revision: 1, signal, onRevision });
    await this.#leases.copy(leases);
    await this.#leases.ensure(history.versions.map(({ lease }) => lease));
    const copying = new AbortController();
    void this.#leases.keepAlive(() => false, AbortSignal.any([copying.signal, signal]));
    await this.#replayer.replay(plan(history)).finally(() => copying.abort());
    if (history.compactRevision > 0) await this.#compact(history.compactRevision);
    await this.#compare(history.revision, history.compactRevision);
    await this.#journal.record({ step: "following" });
  }

  /** Finds out how far the target came before the mover ended. */
  async #takeUp(): Promise<void> {
    const { signal } = this.#ended;
    const { history, leases } = await readContents(this.#target, signal);
    const revision = await currentRevision(this.#target, signal);
    const common = Math.min(revision, await currentRevision(this.#source, signal));
    if (common < revision) {
      throw new EtcdError("MIGRATION_FAILED", "the target has revisions that the source does not have");
    }
    await this.#compare(common, history.compactRevision);
    const versions = new Map<string, number>();
    for (const { key, version } of history.versions) {
      if (version === 0) versions.delete(key);
      else versions.set(key, version);
    }
    const { maxTxnOps = MAX_TXN_OPS } = this.#options;
    const onRevision = (): void => this.#report(this.#step);
    this.#replayer = new Replayer({
      target: this.#target,
      maxTxnOps,
      revision,
      versions,
      signal,
      onRevision,
    });
    this.#leases.adopt(leases);
  }

  async #hand(replayer: Replayer): Promise<void> {
    const { signal } = this.#ended;
    const following = new AbortController();
    const parts = { source: this.#source, replayer, leases: this.#leases };
    const follower = new Follower({ ...parts, signal: AbortSignal.any([following.signal, signal]) });
    try {
      this.#report("following");
      await this.#closeIn(follower, replayer);
      this.#report("sealing");
      const seal = await this.#sealing();
      if (this.#journal.entry.step === "following") await this.#journal.record({ step: "sealing" });
      await seal.prepare();
      this.#sealedAt = performance.now();
      await seal.close();
      await this.#whileSealed(follower, following, seal);
    } finally {
      following.abort();
    }
  }

  /** Resolves when the target is so close behind that the rest is a matter of a moment. */
  async #closeIn(follower: Follower, replayer: Replayer): Promise<void> {
    const { signal } = this.#ended;
    const { mostLag = MOST_LAG, mostSealedMs = MOST_SEALED_MS } = this.#options;
    const began = { at: performance.now(), revision: replayer.revision };
    let polledAt = 0;
    for (;;) {
      signal.throwIfAborted();
      follower.check();
      this.#sourceRevision = await currentRevision(this.#source, signal);
      if (performance.now() - polledAt > LEASE_POLL_MS) {
        await this.#leases.follow();
        polledAt = performance.now();
      }
      this.#report("following");
      const lag = this.#sourceRevision - replayer.revision;
      const followedMs = performance.now() - began.at;
      // Writers may be faster than one who has to keep their order: then they have to wait for it.
      const drainMs = (lag * followedMs) / Math.max(1, replayer.revision - began.revision);
      if (lag <= mostLag || (followedMs > PATIENCE_MS && drainMs < mostSealedMs / 3)) return;
      await pause(LAG_POLL_MS, signal);
    }
  }

  async #whileSealed(follower: Follower, following: AbortController, seal: SourceSeal): Promise<void> {
    const { mostSealedMs = MOST_SEALED_MS } = this.#options;
    this.#report("draining");
    if (seal.leasesRunOut) await this.#leases.renewAll(true);
    const sealed = await currentRevision(this.#source, this.#ended.signal);
    this.#sourceRevision = sealed;
    await follower.reached(sealed, mostSealedMs);
    following.abort();
    this.#report("verifying");
    await this.#leases.settle();
    const revision = await currentRevision(this.#source);
    await this.#prove(revision);
    if (performance.now() - (this.#sealedAt ?? 0) > mostSealedMs) {
      throw new EtcdError("MIGRATION_FAILED", `the source was sealed for more than ${mostSealedMs} ms`);
    }
    this.#ended.signal.throwIfAborted();
    await this.#tell(seal);
  }

  /** A mover before has proven that the stores are equal, and has begun to say so. */
  async #goForward(): Promise<void> {
    this.#sealedAt = performance.now();
    const seal = await this.#sealing();
    await new LastWrites({
      source: this.#source,
      target: this.#target,
      seal,
      journal: this.#journal,
    }).finish();
    await this.#tell(seal);
  }

  async #tell(seal: SourceSeal): Promise<void> {
    this.#report("handing over");
    const last = new LastWrites({ source: this.#source, target: this.#target, seal, journal: this.#journal });
    await this.#options.handOver({ put: (key, value) => last.put(key, value) });
    const { revision, hash, compactRevision } = await this.#source.hashKv();
    // Whoever was told first writes to the target already.
    await this.#compare(revision, compactRevision);
    await this.#journal.record({ step: "handed over", final: { revision, hash } });
  }

  async #finish(): Promise<void> {
    await (await this.#sealing()).handOver();
    await this.#leases.renewAll();
  }

  async #check(): Promise<void> {
    for (const [name, client] of [["source", this.#source] as const, ["target", this.#target] as const]) {
      if (await hasAuth(client)) {
        throw refused(`authentication is on at the ${name}: users and roles are not moved; disable it first`);
      }
    }
    await checkSealable(this.#source);
    const revision = await currentRevision(this.#target, this.#ended.signal);
    if (revision !== 1) throw refused(`the target is not empty: it is at revision ${revision}`);
  }

  /** Makes sure that both stores were the same at a revision that is behind what the target was compacted to. */
  async #compare(revision: number, compactRevision: number): Promise<void> {
    // Of a revision that was compacted itself, etcd answers the sum of what the compaction went through: in the
    // target that is what was made up.
    if (revision <= compactRevision) return;
    const source = await this.#source.hashKv(revision);
    const target = await this.#target.hashKv(revision);
    // A source that was compacted meanwhile counts less; the proof is made when nothing moves any more.
    if (source.compactRevision === target.compactRevision) unequal(source, target, revision);
  }

  /** Makes sure that both stores are the same now, and that both know nothing of what came before. */
  async #prove(revision: number): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const source = await hashAt(this.#source, revision);
      let target = await hashAt(this.#target, revision);
      if (target.compactRevision < source.compactRevision) {
        await this.#compact(source.compactRevision);
        target = await hashAt(this.#target, revision);
      }
      // An etcd that compacts by itself may do so between the two answers.
      const isComparable = source.compactRevision === target.compactRevision;
      if (!isComparable && attempt < TRIES) continue;
      return unequal(source, target, revision);
    }
  }

  async #compact(revision: number): Promise<void> {
    try {
      await this.#target.compact(revision, { physical: true, deadlineMs: 120_000 });
    } catch (error) {
      // A try before may have been carried out.
      if ((error as EtcdError).code !== "COMPACTED") throw error;
    }
  }

  async #takeBack(failure: EtcdError): Promise<void> {
    try {
      if (this.#journal.entry.step !== "copying" && this.#journal.entry.step !== "following") {
        await (await this.#sealing()).open();
      }
      await this.#journal.remove();
    } catch (error) {
      throw new EtcdError(
        "MIGRATION_FAILED",
        `${failure.message}; and the source could not be unsealed: ${(error as Error).message}. Undo the move when it can be reached`,
        { cause: failure },
      );
    }
  }

  async #sourceHas(writes: JournalEntry["writes"]): Promise<boolean> {
    const [first] = writes;
    return first !== undefined && (await currentRevision(this.#source)) >= first.revision;
  }

  async #sealing(): Promise<SourceSeal> {
    const { reason = "" } = this.#options;
    const { secret, successor } = this.#journal.entry;
    this.#seal ??= await sealOf({ source: this.#source, secret, reason, successor });
    return this.#seal;
  }

  #copied(): Replayer {
    if (this.#replayer === undefined) throw new EtcdError("MIGRATION_FAILED", "nothing was copied");
    return this.#replayer;
  }

  #report(step: MigrationStep): void {
    this.#step = step;
    const revision = this.#replayer?.revision ?? 0;
    const sealedMs = this.#sealedAt === undefined ? undefined : performance.now() - this.#sealedAt;
    const sourceRevision = Math.max(this.#sourceRevision, revision);
    this.#options.onProgress?.({ step, revision, sourceRevision, sealedMs });
  }

  #asFailure(error: unknown): EtcdError {
    if (this.#options.signal?.aborted === true) {
      return new EtcdError("ABORTED", "the move was given up", { cause: error });
    }
    if (error instanceof EtcdError) return error;
    const why = error instanceof Error ? error.message : String(error);
    return new EtcdError("MIGRATION_FAILED", `${this.#step}: ${why}`, { cause: error });
  }
}

/** HashKV when the store is at that revision: a member may be a moment behind the others. */
async function hashAt(client: EtcdClient, revision: number): Promise<HashKv> {
  for (let attempt = 1; ; attempt++) {
    const hash = await client.hashKv();
    if (hash.revision === revision) return hash;
    if (hash.revision > revision || attempt === MOST_LOOKS) {
      throw new EtcdError(
        "MIGRATION_FAILED",
        `a store is at revision ${hash.revision} instead of ${revision}: someone writes all the same`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LAG_POLL_MS));
  }
}

function unequal(source: HashKv, target: HashKv, revision: number): void {
  if (source.hash === target.hash) return;
  throw new EtcdError(
    "MIGRATION_FAILED",
    `HashKV at revision ${revision} is ${source.hash} at the source and ${target.hash} at the target`,
  );
}

function refused(why: string): EtcdError {
  return new EtcdError("MIGRATION_REFUSED", why);
}
