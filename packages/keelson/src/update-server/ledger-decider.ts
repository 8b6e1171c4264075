// The ledger of update-policy/ behind the endpoint: what one application says becomes reports and a check, decisions
// become answers, and what the ledger enters goes to the log.
import { noUpdate, plainId } from "@keelson/omaha";
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
}

/** Lines of a snapshot that go into one part. */
const LINES = 512;

export class LedgerDecider implements Decider, Fold {
  readonly kind = 1;
  readonly #options: LedgerDeciderOptions;
  #parts: string[] = [];
  #ledger: Ledger | undefined;

  constructor(options: LedgerDeciderOptions) {
    this.#options = options;
  }

  /** As it is now; once the log has given back what it holds. */
  get ledger(): Ledger {
    if (this.#ledger !== undefined) return this.#ledger;
    const { configuration } = this.#options;
    const parts = this.#parts;
    this.#parts = [];
    this.#ledger =
      parts.length === 0 ? new Ledger(configuration) : Ledger.restore(lines(parts), configuration);
    return this.#ledger;
  }

  restore(part: string): void {
    this.#parts.push(part);
  }

  apply(entry: string): void {
    this.ledger.apply(decodeEntry(entry));
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
    const { app } = asked;
    const request = requestOf(asked);
    const entries: Entry[] = [];
    for (const event of app.events) entries.push(...this.ledger.report({ ...request, event }, nowMs).entries);
    if (app.updateCheck === undefined) return { entries: entries.map(encodeEntry) };
    const { decision, entries: more } = this.ledger.check(request, nowMs);
    entries.push(...more);
    const encoded = entries.map(encodeEntry);
    if (decision.answer === "none") {
      const { pollSeconds } = decision;
      const update = pollSeconds === undefined ? noUpdate : { ...noUpdate, pollInterval: pollSeconds };
      return { update, entries: encoded };
    }
    const floor = decision.floor === undefined ? {} : { floorReason: decision.floor.reason };
    const { payloads } = this.#options;
    return { update: offerOf(decision.package, { payloads, ...floor }), entries: encoded };
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
