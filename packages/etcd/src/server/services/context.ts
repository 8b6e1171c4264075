import type { Access } from "../auth/access.ts";
import type { Store } from "../store.ts";

/** What every service works with. */
export interface ServiceContext {
  readonly store: Store;
  /** Who may do what. */
  readonly access: Access;
  /** Encoded header field of an answer for a revision; without one when it is 0. */
  readonly header: (revision: number) => string;
}
