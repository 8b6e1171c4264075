import { bigField, bytesField, intField } from "../keyspace/wire.ts";

/** Encoded etcdserverpb.ResponseHeader fields, tag and all: they open every answer. */
export class ResponseHeaders {
  readonly #ids: string;
  #term = 0;
  #revision = -1;
  #encoded = "";

  constructor(clusterId: bigint, memberId: bigint) {
    this.#ids = bigField("\x08", clusterId) + bigField("\x10", memberId);
  }

  /** `revision` 0 leaves it out, as some of etcd's answers do. */
  at(revision: number, term: number): string {
    if (revision !== this.#revision || term !== this.#term) {
      this.#revision = revision;
      this.#term = term;
      this.#encoded = bytesField("\x0a", this.#ids + intField("\x18", revision) + intField("\x20", term));
    }
    return this.#encoded;
  }
}
