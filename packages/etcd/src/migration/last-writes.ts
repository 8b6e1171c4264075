import type { MessageInitShape } from "@bufbuild/protobuf";
import { EtcdError, RPC, type EtcdClient } from "../client/index.ts";
import {
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
  type TxnRequestSchema,
} from "../proto/generated/etcdserverpb/kv_pb.ts";
import type { Journal, RecordedWrite } from "./journal.ts";
import { currentRevision } from "./replayer.ts";
import type { SourceSeal } from "./seal.ts";

const TRIES = 5;

/**
 * Writes to both stores while the source is sealed: the target first, so that whoever follows what the source says
 * finds it there. Each is recorded before, with its revision, and carried out once in each store however often
 * it is tried.
 */
export class LastWrites {
  readonly #source: EtcdClient;
  readonly #target: EtcdClient;
  readonly #seal: SourceSeal;
  readonly #journal: Journal;

  constructor(parts: {
    readonly source: EtcdClient;
    readonly target: EtcdClient;
    readonly seal: SourceSeal;
    readonly journal: Journal;
  }) {
    this.#source = parts.source;
    this.#target = parts.target;
    this.#seal = parts.seal;
    this.#journal = parts.journal;
  }

  async put(key: string, value: string | Uint8Array): Promise<number> {
    const name = Buffer.from(key).toString("latin1");
    const { writes } = this.#journal.entry;
    const before = writes.find((write) => write.key === name);
    if (before !== undefined) return before.revision;
    const revision = (await currentRevision(this.#target)) + 1;
    const write: RecordedWrite = { key: name, value: Buffer.from(value).toString("latin1"), revision };
    await this.#journal.record({ step: "writing", writes: [...writes, write] });
    await this.#carryOut(write);
    return revision;
  }

  /** Carries out what was recorded. */
  async finish(): Promise<void> {
    for (const write of this.#journal.entry.writes) await this.#carryOut(write);
  }

  async #carryOut(write: RecordedWrite): Promise<void> {
    // A store that has the revision has the write: nothing else can have made it.
    if ((await currentRevision(this.#target)) < write.revision) {
      await this.#once(write, async (txn) => {
        const { succeeded, header } = await this.#target.call(RPC.txn, txn);
        return succeeded ? Number(header?.revision ?? 0n) : undefined;
      });
    }
    if ((await currentRevision(this.#source)) < write.revision) {
      await this.#once(write, (txn) => this.#seal.write(txn));
    }
  }

  /** Tries until the write is known to be there, whatever became of the answers. */
  async #once(
    { key, value, revision }: RecordedWrite,
    send: (txn: MessageInitShape<typeof TxnRequestSchema>) => Promise<number | undefined>,
  ): Promise<void> {
    const name = Buffer.from(key, "latin1");
    const put = { key: name, value: Buffer.from(value, "latin1") };
    // It is carried out unless the key has been written at that revision or after it.
    const older = { case: "modRevision", value: BigInt(revision) } as const;
    const compare = [{ key: name, result: Result.LESS, target: Target.MOD, targetUnion: older }];
    const txn = { compare, success: [{ request: { case: "requestPut" as const, value: put } }] };
    for (let attempt = 1; ; attempt++) {
      try {
        const made = await send(txn);
        if (made === undefined || made === revision) return;
        throw new EtcdError(
          "MIGRATION_FAILED",
          `a last write became revision ${made} instead of ${revision}: someone else writes too`,
        );
      } catch (error) {
        if ((error as EtcdError).code === "MIGRATION_FAILED" || attempt === TRIES) throw error;
      }
    }
  }
}
