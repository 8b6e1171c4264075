// A store that moves elsewhere is sealed: it changes no more, but for what has the seal's token, while it still can
// be read and watched. The seal is part of the state: it is in the log and in snapshots, and outlives a restart.

import { createHash, timingSafeEqual } from "node:crypto";
import { EtcdError, GRPC_STATUS } from "../errors.ts";

export interface Seal {
  /** SHA-256 of the token, in hex. */
  readonly tokenHash: string;
  readonly reason: string;
  /** Client URLs of the store that takes over. */
  readonly successor: readonly string[];
  /** The successor is in charge. */
  readonly handedOver: boolean;
}

export const LEAST_TOKEN_BYTES = 16;
const MOST_TEXT = 2048;
const MOST_URLS = 64;

/** Makes a seal of what was asked for. Throws INVALID_ARGUMENT. */
export function makeSeal(request: {
  readonly token: Uint8Array;
  readonly reason: string;
  readonly successor: readonly string[];
  readonly handedOver: boolean;
}): Seal {
  const { token, reason, successor, handedOver } = request;
  if (token.length < LEAST_TOKEN_BYTES || token.length > MOST_TEXT) {
    throw invalid(`the token must have ${LEAST_TOKEN_BYTES} bytes at least`);
  }
  if (successor.length > MOST_URLS || [reason, ...successor].some((text) => text.length > MOST_TEXT)) {
    throw invalid(`at most ${MOST_URLS} URLs and ${MOST_TEXT} characters each are taken`);
  }
  if ([reason, ...successor].some((text) => /\p{Cc}/u.test(text))) throw invalid("control characters");
  return { tokenHash: hashOf(token), reason, successor, handedOver };
}

export function opens(seal: Seal, token: Uint8Array): boolean {
  return timingSafeEqual(Buffer.from(seal.tokenHash, "hex"), Buffer.from(hashOf(token), "hex"));
}

/** What everyone is told who wants to write. */
export function sealedError({ reason, successor, handedOver }: Seal): EtcdError {
  const why = reason === "" ? "" : ` (${reason})`;
  const where =
    successor.length === 0 ? "" : ` ${handedOver ? "Use" : "It will go on at"} ${successor.join(",")}`;
  const what = handedOver ? "the store has moved" : "the store is being moved and takes no writes";
  return new EtcdError("SEALED", `keelson: ${what}${why}.${where}`, { grpcStatus: GRPC_STATUS.UNAVAILABLE });
}

/** A seal as the log and snapshots have it. */
export function sealBytes(seal: Seal): Buffer {
  return Buffer.from(JSON.stringify(seal));
}

export function readSeal(bytes: Buffer): Seal {
  return JSON.parse(bytes.toString("utf8")) as Seal;
}

function hashOf(token: Uint8Array): string {
  return createHash("sha256").update(token).digest("hex");
}

function invalid(what: string): EtcdError {
  return new EtcdError("INVALID_ARGUMENT", `keelson: a seal cannot be made: ${what}`, {
    grpcStatus: GRPC_STATUS.INVALID_ARGUMENT,
  });
}
