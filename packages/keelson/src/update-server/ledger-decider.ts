// The ledger of update-policy/ behind the endpoint: what one application says becomes reports and a check, decisions
// become answers, and what the ledger enters goes to the log.
import { noUpdate, plainId } from "@keelson/omaha";
import type { OmahaUpdateAnswer } from "@keelson/omaha";
import type { Configuration } from "../update-policy/configuration.ts";
import { decodeEntry, encodeEntry } from "../update-policy/entries.ts";
import type { Entry } from "../update-policy/entries.ts";
import { Ledger } from "../update-policy/ledger.ts";
import { architectureOf } from "../update-policy/request.ts";
import type { UpdateRequest } from "../update-policy/request.ts";
import type { Asked, Decided, Decider } from "./decision.ts";
import type { Fold } from "./log/fold.ts";
import { offerOf } from "./update-answer.ts";

export interface LedgerDeciderOptions {
  readonly configuration: Configuration;
  /** URL of our own payloads, without the slash at its end. */
  readonly payloads: string;
  /** A decision broke off after it had changed something: that is kept, and the machine gets `noupdate`. */
  readonly onFailure?: (error: unknown, asked: Asked) => void;
}

/** Lines of a snapshot that go into one part. */
const LINES = 512;

export class LedgerDecider implements Decider, Fold {
  readonly kind = 1;
  readonly #options: LedgerDeciderOptions;
  #configuration: Configuration;
  #parts: string[] = [];
  #ledger: Ledger | undefined;
  /** What the ledger entered since this was last emptied. */
  #entered: Entry[] = [];

  constructor(options: LedgerDeciderOptions) {
    this.#options = options;
    this.#configuration = options.configuration;
  }

  /** As it is now; once the log has given back what it holds. */
  get ledger(): Ledger {
    if (this.#ledger !== undefined) return this.#ledger;
    const parts = this.#parts;
    this.#parts = [];
    const options = { onEntry: (entry: Entry): void => void this.#entered.push(entry) };
    this.#ledger =
      parts.length === 0
        ? new Ledger(this.#configuration, options)
        : Ledger.restore(lines(parts), this.#configuration, options);
    return this.#ledger;
  }

  /** From the next request on. */
  configure(configuration: Configuration): void {
    this.#configuration = configuration;
    this.#ledger?.configure(configuration);
  }

  restore(part: string): void {
    this.#parts.push(part);
  }

  apply(entry: string): void {
    this.ledger.apply(decodeEntry(entry));
    this.#entered = [];
  }

  *#batches(all: Iterable<string>): Generator<string> {
    let batch: string[] = [];
    for (const line of all)
      if (batch.push(line) === LINES) {
        yield batch.join("\n");
        batch = [];
      }
    if (batch.length > 0) yield batch.join("\n");
  }

  snapshot(): Iterable<string> {
    return this.#batches(this.ledger.freeze().lines());
  }

  decide(asked: Asked, nowMs: number): Decided {
    this.#entered = [];
    let update: OmahaUpdateAnswer | undefined;
    try {
      update = this.#answer(asked, nowMs);
    } catch (error) {
      if (this.#entered.length === 0) throw error;
      this.#options.onFailure?.(error, asked);
    }
    return { ...(update === undefined ? {} : { update }), entries: this.#taken() };
  }

  /** Frees grants that ran out, for when nobody asks; what it enters. @param nowMs Unix milliseconds */
  sweep(nowMs: number): readonly string[] {
    this.#entered = [];
    try {
      this.ledger.sweep(nowMs);
    } catch (error) {
      if (this.#entered.length === 0) throw error;
    }
    return this.#taken();
  }

  /** What was entered since, however that ended: it is applied, so that it belongs into the log. */
  #taken(): readonly string[] {
    const entered = this.#entered;
    this.#entered = [];
    return entered.map(encodeEntry);
  }

  #answer(asked: Asked, nowMs: number): OmahaUpdateAnswer | undefined {
    const { app } = asked;
    const request = requestOf(asked);
    for (const event of app.events) this.ledger.report({ ...request, event }, nowMs);
    if (app.updateCheck === undefined) return undefined;
    const { decision } = this.ledger.check(request, nowMs);
    if (decision.answer === "none") {
      const { pollSeconds } = decision;
      return pollSeconds === undefined ? noUpdate : { ...noUpdate, pollInterval: pollSeconds };
    }
    const floor = decision.floor === undefined ? {} : { floorReason: decision.floor.reason };
    return offerOf(decision.package, { payloads: this.#options.payloads, ...floor });
  }
}

function* lines(parts: readonly string[]): Generator<string> {
  for (const part of parts) yield* part.split("\n");
}

function requestOf({ app, request, client }: Asked): UpdateRequest {
  const machine = app.machineId ?? "";
  return {
    application: plainId(app.id),
    track: app.track ?? "",
    machine,
    version: app.version ?? "",
    architecture: architectureOf({
      board: app.board ?? "",
      arch: request.os?.arch ?? "",
      servicePack: request.os?.servicePack ?? "",
    }),
    verified: machine !== "" && client.provenMachine === machine,
    onDemand: (app.installSource ?? request.installSource) === "ondemandupdate",
    updateDisabled: app.updateCheck?.updateDisabled === true,
    versionPrefix: app.updateCheck?.targetVersionPrefix,
    boot: app.bootId,
    alias: app.machineAlias,
    address: client.address,
    board: app.board,
    oem: app.oem,
    oemVersion: app.oemVersion,
    alephVersion: app.alephVersion,
    hardwareClass: app.hardwareClass,
  };
}
