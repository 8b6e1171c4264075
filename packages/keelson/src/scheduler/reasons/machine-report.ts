// What the machine says of it: how far the start is, why it failed, how often, whether it is well.
import { spanWords } from "../../base/span.ts";
import { explainEnd } from "./exit-status.ts";
import { type Finder, type PlacedOrder, type Reason } from "./subject.ts";

export const report: Finder = ({ orders, snapshot, wallMs }) =>
  orders.flatMap((order) => (snapshot.machines.has(order.machine) ? ofOrder(order, wallMs) : []));

const stepWords: readonly (readonly [step: string, words: string])[] = [
  ["active", "it is active"],
  ["started", "its start began"],
  ["written", "its file was written"],
  ["image", "its image was there"],
  ["received", "the machine had its order"],
];

function ofOrder({ machineName, entry, status }: PlacedOrder, wallMs: number): Reason[] {
  if (status === undefined || status.hash !== entry.hash || status.restarts !== entry.restarts) {
    const since = status === undefined ? entry.placed : undefined;
    const wait = since === undefined ? "" : ` for ${spanWords(wallMs - since)}`;
    const what = status === undefined ? "has the order" : "has a newer order than the one it answered";
    const why = status === undefined || status.reason === "" ? "" : `: ${status.reason}`;
    return [{ topic: "order", text: `${machineName} ${what}${wait} and has not carried it out yet${why}` }];
  }
  const { health, reason, since, failures } = status;
  const found: Reason[] = [];
  const words = reason === "" ? "" : `: ${reason}`;
  const explained = explainEnd(reason);
  const meaning = explained === undefined ? "" : ` (${explained})`;
  if (health === "failed")
    found.push({
      topic: "failed",
      text: `it failed on ${machineName} ${spanWords(wallMs - since)} ago${words}${meaning}`,
    });
  else if (health === "unhealthy")
    found.push({ topic: "unhealthy", text: `it runs on ${machineName} and is not well${words}` });
  else if (health === "starting")
    found.push({
      topic: "starting",
      text: `it is starting on ${machineName}${lastStep(status.steps, wallMs)}${words}${meaning}`,
    });
  else if (reason !== "")
    found.push({
      topic: health === "stopped" ? "stopped" : "report",
      text: `${machineName} says${words}${meaning}`,
    });
  if (failures !== undefined && failures.count > 0) {
    const next =
      failures.nextTry === undefined || failures.nextTry <= wallMs
        ? ""
        : `; it is tried again in ${spanWords(failures.nextTry - wallMs)}`;
    const last = `${spanWords(wallMs - failures.last)} ago`;
    const text =
      failures.count === 1
        ? `it failed once on ${machineName}, ${last}${next}`
        : `it failed ${failures.count} times on ${machineName} within ${spanWords(failures.last - failures.since)}, last ${last}${next}`;
    found.push({ topic: failures.count > 1 ? "crash-loop" : "failures", text });
  }
  return found;
}

function lastStep(steps: Readonly<Record<string, number>>, wallMs: number): string {
  for (const [step, words] of stepWords) {
    const at = steps[step];
    if (at !== undefined) return `: ${words} ${spanWords(wallMs - at)} ago`;
  }
  return "";
}
