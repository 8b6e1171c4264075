// The state as the chunks of a snapshot: a head in JSON, then the history in its order. Chunks are made as they
// are written, while the state goes on changing: what they are made of does not change.

import { toBinary } from "@bufbuild/protobuf";
import { WireReader, writeVarint } from "../keyspace/wire.ts";
import { decodeFields, type Version } from "../keyspace/version.ts";
import { RoleSchema, UserSchema } from "../proto/generated/authpb_pb.ts";
import { decode } from "./messages/generated.ts";
import type { Seal } from "./seal.ts";
import type { StoreState } from "./state.ts";

const HEAD = "H";
const HISTORY = "V";
const CHUNK_BYTES = 1 << 18;
/** Of two varints. */
const MOST_HEAD_BYTES = 20;

interface Head {
  readonly revision: number;
  readonly compactRevision: number;
  readonly term: number;
  /** Kind and member; a kind alone is of member 0. */
  readonly alarms: readonly (number | readonly [number, string])[];
  /** Id as a decimal number, and TTL in seconds. */
  readonly leases: readonly (readonly [string, number])[];
  /** Only once they were changed. */
  readonly peerUrls?: readonly string[] | undefined;
  /** Only while the store is sealed. */
  readonly seal?: Seal | undefined;
  /** Missing in snapshots of versions that knew no users. Messages of authpb in base64. */
  readonly auth?: {
    readonly enabled: boolean;
    readonly revision: number;
    readonly users: readonly string[];
    readonly roles: readonly string[];
  };
}

/**
 * The state as it is now; what changes while the chunks are taken is not in them. A chunk is valid until the next
 * one is taken.
 */
export function snapshotChunks(state: StoreState): Iterable<Buffer> {
  const { keyspace, term } = state;
  const { revision, compactRevision, history } = keyspace;
  const leases = [...keyspace.leases.values()].map(({ id, ttl }) => [String(id), ttl] as const);
  const head: Head = {
    revision,
    compactRevision,
    term,
    alarms: state.alarms.raised.map(({ alarm, member }) => [alarm, String(member)] as const),
    leases,
    peerUrls: state.peerUrls,
    seal: state.seal,
    auth: authHead(state),
  };
  const { length } = history;
  return (function* chunks(): Iterable<Buffer> {
    yield Buffer.from(HEAD + JSON.stringify(head));
    const chunk = new HistoryChunk();
    for (let place = 0; place < length; place++) {
      const version = history[place];
      if (version === undefined) break;
      chunk.add(version);
      if (chunk.length < CHUNK_BYTES) continue;
      yield chunk.bytes;
      chunk.length = 1;
    }
    if (chunk.length > 1) yield chunk.bytes;
  })();
}

function authHead({ auth }: StoreState): NonNullable<Head["auth"]> {
  const { enabled, revision, users, roles } = auth.data;
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  return {
    enabled,
    revision,
    users: users.map((user) => base64(toBinary(UserSchema, user))),
    roles: roles.map((role) => base64(toBinary(RoleSchema, role))),
  };
}

/** Versions one behind the other, each with its place in its transaction and its length before it. */
class HistoryChunk {
  #bytes = Buffer.allocUnsafe(CHUNK_BYTES + (CHUNK_BYTES >> 2));
  length = 1;

  constructor() {
    this.#bytes.write(HISTORY, 0, "latin1");
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  add(version: Version): void {
    const end = this.length + version.length + MOST_HEAD_BYTES;
    if (end > this.#bytes.length) this.#bytes = Buffer.concat([this.bytes], end);
    const start = writeVarint(this.#bytes, this.length, version.sub);
    this.length = version.copyTo(this.#bytes, writeVarint(this.#bytes, start, version.length));
  }
}

/** Takes a snapshot's chunks, in order, into an empty state. */
export class StateRestore {
  readonly #state: StoreState;
  #head: Head | undefined;

  constructor(state: StoreState) {
    this.#state = state;
  }

  take(chunk: Buffer): void {
    if (chunk[0] === HEAD.charCodeAt(0)) this.#takeHead(JSON.parse(chunk.toString("utf8", 1)) as Head);
    else this.#takeHistory(new WireReader(chunk, 1), chunk);
  }

  #takeHead(head: Head): void {
    this.#head = head;
    this.#state.term = head.term;
    this.#state.peerUrls = head.peerUrls;
    this.#state.restoreSeal(head.seal);
    for (const raised of head.alarms) {
      const [alarm, member] = typeof raised === "number" ? [raised, 0] : raised;
      this.#state.alarms.raise({ alarm, member: BigInt(member) });
    }
    for (const [id, ttl] of head.leases) this.#state.keyspace.leases.add(BigInt(id), ttl);
    this.#state.keyspace.restoreRevisions(head.revision, head.compactRevision);
    if (head.auth !== undefined) {
      const { enabled, revision, users, roles } = head.auth;
      this.#state.auth.restore({
        enabled,
        revision,
        users: users.map((text) => decode(UserSchema, Buffer.from(text, "base64"))),
        roles: roles.map((text) => decode(RoleSchema, Buffer.from(text, "base64"))),
      });
    }
  }

  #takeHistory(reader: WireReader, chunk: Buffer): void {
    if (this.#head === undefined) throw new Error("the snapshot has no head");
    while (!reader.atEnd) {
      const sub = reader.rawInt();
      const [start, end] = reader.rawBytes();
      const encoded = chunk.subarray(start, end);
      this.#state.keyspace.restoreVersion({ ...decodeFields(encoded), sub }, encoded);
    }
  }
}
