// The store's database file as etcd streams it: the file in pieces, then its SHA-256 as the last 32 bytes.
import { createHash } from "node:crypto";
import { EtcdError } from "../errors.ts";
import type { SnapshotResponse } from "../proto/generated/etcdserverpb/maintenance_pb.ts";
import type { Caller } from "./caller.ts";
import { toEtcdError } from "./failure.ts";
import { RPC } from "./rpc.ts";

const DIGEST_BYTES = 32;

/**
 * The pieces in order, the digest included: written to a file they are what `etcdutl snapshot restore` reads.
 * The digest is checked before the last piece is handed over. Not repeated on failure, but once (`again`) when
 * the store wants another token: the pieces of another try belong to another file.
 * @throws EtcdError BAD_RESPONSE when the pieces are not what the server meant to send
 */
export async function* snapshot(
  caller: Caller,
  signal: AbortSignal | undefined,
  again = true,
): AsyncGenerator<Uint8Array, void, void> {
  const connection = await caller.connector.acquire(undefined, signal);
  const pass = await caller.login?.pass(connection, signal);
  const call = connection.stream(RPC.snapshot, pass?.token);
  let [started, expired] = [false, false];
  const cancel = () => call.cancel();
  // A cancelled call reports an error after the iteration took its listener away.
  call.on("error", () => {});
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    signal?.throwIfAborted();
    call.write({});
    call.end();
    const check = new DigestCheck();
    for await (const { blob } of call as AsyncIterable<SnapshotResponse>) {
      caller.heard();
      started = true;
      const piece = check.take(blob);
      if (piece.length > 0) yield piece;
    }
    yield check.end();
  } catch (error) {
    if (signal?.aborted === true) {
      throw new EtcdError("ABORTED", "the caller gave the snapshot up", { cause: signal.reason });
    }
    const failure = toEtcdError(error, `Snapshot at ${connection.endpoint.name}`);
    if (pass === undefined || started || !again || caller.login?.refused(pass, failure) !== true)
      throw failure;
    expired = true;
  } finally {
    signal?.removeEventListener("abort", cancel);
    call.cancel();
  }
  if (expired) yield* snapshot(caller, signal, false);
}

/** Holds the last 32 bytes back until it is known that they are the digest of everything before. */
class DigestCheck {
  readonly #hash = createHash("sha256");
  #held: Uint8Array = new Uint8Array();

  take(blob: Uint8Array): Uint8Array {
    const all = this.#held.length === 0 ? blob : Buffer.concat([this.#held, blob]);
    const until = Math.max(0, all.length - DIGEST_BYTES);
    const piece = all.subarray(0, until);
    this.#held = all.subarray(until);
    this.#hash.update(piece);
    return piece;
  }

  end(): Uint8Array {
    if (!this.#hash.digest().equals(this.#held)) {
      throw new EtcdError(
        "BAD_RESPONSE",
        "the snapshot that arrived does not have the digest it was sent with",
      );
    }
    return this.#held;
  }
}
