// `POST /v1/update/`: a request in, an answer out, and in between the decision, which is on the disk before the
// answer is sent. Every application of a request is answered on its own, with `ok` or `noupdate` and nothing else:
// update_engine takes any other outcome for a failed update.
import { answerTo, noUpdate, OmahaError, printResponse, readRequest, requestLimits } from "@keelson/omaha";
import type { OmahaAppAnswer, OmahaRequest, OmahaUpdateAnswer } from "@keelson/omaha";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { readBody } from "./body.ts";
import type { Capacity } from "./capacity.ts";
import type { Decided, Decider, UpdateClient } from "./decision.ts";
import type { EntryLog } from "./log/entry-log.ts";
import type { UnreadableClients } from "./unreadable-clients.ts";

export interface UpdateRequestsOptions {
  readonly decider: Decider;
  readonly entries: Pick<EntryLog, "append" | "isWritable">;
  readonly capacity: Capacity;
  readonly unreadable: UnreadableClients;
  readonly clock: Clock;
  readonly log: Log;
}

/** An answer before it is written, and the entries that it rests on. */
interface Draft {
  readonly apps: readonly OmahaAppAnswer[];
  readonly entries: readonly string[];
  /** Something is granted: also an earlier grant must be on the disk before it is said again. */
  readonly grants: boolean;
}

const DAY_MS = 86_400_000;
/** Omaha counts days from here. */
const FIRST_DAY_MS = Date.UTC(2007, 0, 1);
const xml = "text/xml; charset=utf-8";
const nothing: Decided = { entries: [] };

export class UpdateRequests {
  readonly #options: UpdateRequestsOptions;
  #answered = 0;
  #unrecorded = 0;

  constructor(options: UpdateRequestsOptions) {
    this.#options = options;
  }

  /** Requests that were answered. */
  get answered(): number {
    return this.#answered;
  }

  /** Requests of which nothing was kept, since the log could not be written. */
  get unrecorded(): number {
    return this.#unrecorded;
  }

  /** Answers a request that {@link Capacity.enter} took on, and leaves when that is over. */
  handle(request: IncomingMessage, response: ServerResponse, client: UpdateClient): void {
    const { capacity, unreadable, clock } = this.#options;
    const refuse = (status: number, error: string): void => {
      unreadable.add(client.address, error, clock.wall());
      refuseWith(response, status, `This is not a request for updates: ${error}\n`);
    };
    response.on("close", () => capacity.leave());
    const encoding = request.headers["content-encoding"];
    if (encoding !== undefined && encoding !== "identity")
      return refuse(415, `the body has the encoding "${encoding}"; it is read without one`);
    readBody(request, requestLimits.bytes, (body, failure) => {
      if (body !== undefined) this.#answer(body, { response, client, refuse });
      else if (failure === "too-large") refuse(413, `the body has more than ${requestLimits.bytes} bytes`);
    });
  }

  #answer(
    body: Buffer,
    {
      response,
      client,
      refuse,
    }: {
      readonly response: ServerResponse;
      readonly client: UpdateClient;
      readonly refuse: (status: number, error: string) => void;
    },
  ): void {
    let request: OmahaRequest;
    try {
      request = readRequest(body);
    } catch (error) {
      if (!(error instanceof OmahaError)) throw error;
      return refuse(error.code === "TOO_LARGE" ? 413 : 400, error.message);
    }
    const { entries, unreadable, decider, log } = this.#options;
    unreadable.remove(client.address);
    const draft = this.#decide(request, client);
    if (draft.entries.length === 0 && !draft.grants) return this.#send(response, draft.apps);
    entries.append(decider.kind, draft.entries).then(
      () => this.#send(response, draft.apps),
      (error: unknown) => {
        // It will be kept when the disk takes writes again. Until then nothing may be promised.
        this.#unrecorded++;
        log.debug("an answer could not be kept", { error });
        this.#send(response, draft.apps.map(withoutGrant));
      },
    );
  }

  #decide(request: OmahaRequest, client: UpdateClient): Draft {
    const nowMs = this.#options.clock.wall();
    const isWritable = this.#options.entries.isWritable;
    if (!isWritable) this.#unrecorded++;
    const entries: string[] = [];
    let grants = false;
    const apps = request.apps.map((app) => {
      const decided = isWritable ? this.#decideOn({ app, request, client }, nowMs) : nothing;
      entries.push(...decided.entries);
      const update = this.#bounded(decided.update ?? noUpdate);
      grants ||= update.status === "ok";
      return answerTo(app, update);
    });
    return { apps, entries, grants };
  }

  #decideOn(asked: Parameters<Decider["decide"]>[0], nowMs: number): Decided {
    try {
      return this.#options.decider.decide(asked, nowMs);
    } catch (error) {
      this.#options.log.error("an application of a request could not be decided on", {
        application: asked.app.id,
        machine: asked.app.machineId,
        error,
      });
      return nothing;
    }
  }

  /** Only what update_engine understands, and no sooner again than the load allows. */
  #bounded(update: OmahaUpdateAnswer): OmahaUpdateAnswer {
    if (update.status === "ok") return update;
    const { pollSeconds } = this.#options.capacity;
    const pollInterval = Math.max(update.pollInterval ?? 0, pollSeconds ?? 0);
    return pollInterval > 0 ? { ...noUpdate, pollInterval } : noUpdate;
  }

  #send(response: ServerResponse, apps: readonly OmahaAppAnswer[]): void {
    const sinceFirstDay = this.#options.clock.wall() - FIRST_DAY_MS;
    const print = (answers: readonly OmahaAppAnswer[]): string =>
      printResponse({
        protocol: "3.0",
        server: "keelson",
        dayStart: {
          elapsedSeconds: Math.floor((sinceFirstDay % DAY_MS) / 1000),
          elapsedDays: Math.floor(sinceFirstDay / DAY_MS),
        },
        apps: answers,
      });
    let text: string;
    try {
      text = print(apps);
    } catch (error) {
      this.#options.log.error("an answer could not be printed", { error });
      text = print(apps.map(withoutGrant));
    }
    this.#answered++;
    response.writeHead(200, { "Content-Type": xml, "Content-Length": Buffer.byteLength(text) });
    response.end(text);
  }
}

const withoutGrant = (app: OmahaAppAnswer): OmahaAppAnswer =>
  app.updateCheck ? { ...app, updateCheck: noUpdate } : app;

/** Answers with a sentence, and ends the connection: what else comes over it is not worth reading. */
export function refuseWith(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) return;
  response.writeHead(status, {
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    "Content-Length": Buffer.byteLength(text),
    Connection: "close",
  });
  response.end(text);
}
