// What the endpoint asks of whoever decides. The ledger of update-policy/ answers in earnest.
import type { OmahaApp, OmahaRequest, OmahaUpdateAnswer } from "@keelson/omaha";

/** Who asks, as far as it is known for certain. */
export interface UpdateClient {
  /** IP address, from the connection or from trusted proxies. */
  readonly address: string;
  /** The machine that proved to be itself; a machine id that was only said is not here. */
  readonly provenMachine?: string;
}

/** One application of one request. */
export interface Asked {
  readonly app: OmahaApp;
  readonly request: OmahaRequest;
  readonly client: UpdateClient;
}

export interface Decided {
  /** `ok` with a package, or `noupdate`, which is also what is said when nothing is here. */
  readonly update?: OmahaUpdateAnswer;
  /** What the decision changed; applied already, to be written before the answer is sent. */
  readonly entries: readonly string[];
}

export interface Decider {
  /** Of its entries in the log. */
  readonly kind: number;
  /**
   * Takes what one application says and asks. Whatever it changes is in `entries`; when it throws, nothing was
   * changed.
   */
  decide(asked: Asked, nowMs: number): Decided;
}
