// FleetLock, as zincati and others speak it: `POST /v1/pre-reboot` asks for a turn to restart, `POST
// /v1/steady-state` gives it back. 200 is yes, everything else no, with `{"kind","value"}`.
// Source: https://coreos.github.io/zincati/development/fleetlock/protocol
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { readBody } from "./body.ts";
import type { EntryLog } from "./log/entry-log.ts";
import type { RebootGroup, RebootLock } from "./reboot-lock.ts";
import type { Route } from "./update-endpoint.ts";

export interface FleetLockOptions {
  readonly lock: RebootLock;
  readonly entries: Pick<EntryLog, "append" | "isWritable">;
  /** What is known of a group; undefined for one that is not. */
  readonly group: (name: string) => RebootGroup | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

const MOST_BYTES = 4096;

type Kind = "invalid_request" | "unknown_group" | "failed_lock" | "failed_unlock";

class Refusal {
  readonly status: number;
  readonly kind: Kind;
  readonly value: string;

  constructor(status: number, kind: Kind, value: string) {
    this.status = status;
    this.kind = kind;
    this.value = value;
  }
}

/** Both endpoints. */
export function fleetLockRoutes(options: FleetLockOptions): readonly Route[] {
  return [route("/v1/pre-reboot", options, lock), route("/v1/steady-state", options, unlock)];
}

type Operation = (options: FleetLockOptions, group: string, id: string) => Promise<void>;

async function lock(
  { lock, entries, clock, group: groupOf }: FleetLockOptions,
  group: string,
  id: string,
): Promise<void> {
  const known = groupOf(group);
  if (known === undefined) throw new Refusal(400, "unknown_group", `there is no group "${group}"`);
  const answer = lock.lock(group, id, { ...known, nowMs: clock.wall() });
  // A turn must be on the disk before it is taken, also one that was given before.
  await entries.append(lock.kind, answer.entries);
  if (answer.granted) return;
  const holders = answer.holders.map((holder) => holder.id).join(", ");
  throw new Refusal(409, "failed_lock", `${known.slots} of ${known.slots} slots are taken, by ${holders}`);
}

async function unlock(
  { lock, entries, clock, group: groupOf }: FleetLockOptions,
  group: string,
  id: string,
): Promise<void> {
  if (groupOf(group) === undefined) throw new Refusal(400, "unknown_group", `there is no group "${group}"`);
  await entries.append(lock.kind, lock.unlock(group, id, clock.wall()));
}

function route(prefix: string, options: FleetLockOptions, operation: Operation): Route {
  return {
    prefix,
    handle(request, response, path) {
      readBody(request, MOST_BYTES, (body, failure) => {
        if (failure === "gone") return;
        answer(request, { path, body, options, operation }).then(
          () => send(response, 200, {}),
          (error: unknown) => {
            if (error instanceof Refusal) return send(response, error.status, error);
            options.log.error("a turn to restart could not be decided on", { error });
            const kind: Kind = operation === lock ? "failed_lock" : "failed_unlock";
            send(response, 503, { kind, value: "what was decided could not be kept" });
          },
        );
      });
    },
  };
}

async function answer(
  request: IncomingMessage,
  {
    path,
    body,
    options,
    operation,
  }: {
    readonly path: string;
    readonly body: Buffer | undefined;
    readonly options: FleetLockOptions;
    readonly operation: Operation;
  },
): Promise<void> {
  if (path !== "" && path !== "/") throw new Refusal(404, "invalid_request", "there is nothing here");
  if (request.method !== "POST") throw new Refusal(405, "invalid_request", "this is asked for with POST");
  if (request.headers["fleet-lock-protocol"] !== "true")
    throw new Refusal(400, "invalid_request", "the header fleet-lock-protocol is not true");
  const { group, id } = clientOf(body);
  if (!options.entries.isWritable)
    throw new Refusal(503, operation === lock ? "failed_lock" : "failed_unlock", "the disk takes no writes");
  await operation(options, group, id);
}

function clientOf(body: Buffer | undefined): { readonly group: string; readonly id: string } {
  if (body === undefined)
    throw new Refusal(413, "invalid_request", `the body has more than ${MOST_BYTES} bytes`);
  let read: unknown;
  try {
    read = JSON.parse(body.toString());
  } catch {
    throw new Refusal(400, "invalid_request", "the body is no JSON");
  }
  const { client_params: params } = (read ?? {}) as { readonly client_params?: unknown };
  const { group, id } = (params ?? {}) as { readonly group?: unknown; readonly id?: unknown };
  if (typeof group !== "string" || !/^[a-zA-Z0-9.-]{1,128}$/.test(group))
    throw new Refusal(400, "invalid_request", "client_params.group is no name of a group");
  // Printable ASCII: it is shown to people.
  if (typeof id !== "string" || !/^[\x21-\x7e]{1,128}$/.test(id))
    throw new Refusal(400, "invalid_request", "client_params.id is no id");
  return { group, id };
}

function send(
  response: ServerResponse,
  status: number,
  { kind, value }: { kind?: string; value?: string },
): void {
  const text = kind === undefined ? "" : JSON.stringify({ kind, value });
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}
