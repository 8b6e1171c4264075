// Answers in fleet's shape: JSON without what is empty, and errors as {"error":{"code":STATUS,"message":TEXT}}.
import { describeError, KeelError } from "../../base/errors.ts";
import { isStoreAway } from "../../registry/store-client.ts";
import { statusOf } from "../answer.ts";

const headers = { "content-type": "application/json", "cache-control": "no-store" };

/** fleet's own words when its store was away; fleetctl prints them as they are. */
const storeAwayWords = "fleet server unable to communicate with etcd";

/** Fields that are undefined, the empty string or an empty list are left out, as fleet does. */
export function fleetJson(value: Readonly<Record<string, unknown>>): Response {
  const isSaid = (field: unknown): boolean =>
    field !== undefined && field !== "" && !(Array.isArray(field) && field.length === 0);
  const said = Object.entries(value).filter(([, field]) => isSaid(field));
  return new Response(JSON.stringify(Object.fromEntries(said)), { status: 200, headers });
}

export function fleetRefusal(status: number, message = ""): Response {
  return new Response(JSON.stringify({ error: { code: status, message } }), { status, headers });
}

/** 201 or 204 without a body. */
export const fleetDone = (status: 201 | 204): Response => new Response(null, { status });

/** An error of ours as fleet would tell it; the code stands in front of the words, the remedy behind them. */
export function fleetError(error: unknown): Response {
  if (!(error instanceof KeelError))
    return isStoreAway(error) ? fleetRefusal(503, storeAwayWords) : fleetRefusal(500, "internal error");
  if (error.code === "KEEL-401") return fleetRefusal(503, storeAwayWords);
  if (error.code === "KEEL-582") return fleetRefusal(400, error.message);
  const { code, message, hint } = error;
  const stop = /[.?!]$/.test(message) ? "" : ".";
  const words = hint === undefined ? message : `${message}${stop} ${hint}`;
  return fleetRefusal(statusOf(code), `${code}: ${words}`);
}

/** For a log: what went wrong when it is our fault. */
export function faultOf(error: unknown): string | undefined {
  return error instanceof KeelError || isStoreAway(error) ? undefined : describeError(error);
}
