// What goes on over a longer time: rollouts, runs of units that run to their end, timers.
import { spanWords } from "../../base/span.ts";
import { instancesOf } from "../../model/instances.ts";
import { jobName, type JobRun } from "../../model/job.ts";
import { type Finder, type Reason } from "./subject.ts";

export const rollout: Finder = ({ unit, snapshot, wallMs }) => {
  const record = unit === undefined ? undefined : snapshot.rollouts.get(unit.name);
  if (unit === undefined || record === undefined || record.state === "done") return [];
  const { state, updated, changed, reason, operation } = record;
  const total = Math.max(updated.length, instancesOf(unit, snapshot.units).length);
  const words = {
    running: `is being rolled out: ${updated.length} of ${total} updated`,
    paused: `waits with ${updated.length} of ${total} updated: the rollout is paused`,
    reverting: "is being taken back: instances return to the version before",
    reverted: "was taken back: all have the version before",
    aborted: `was stopped with ${updated.length} of ${total} updated`,
  }[state];
  const why = reason === "" ? "" : `: ${reason}`;
  const text = `its new version ${words}${why} (${spanWords(wallMs - changed)} ago, operation ${operation})`;
  return [{ topic: "rollout", text }];
};

export const run: Finder = ({ name, snapshot, orders, wallMs }) => {
  const records = [jobName(name), ...orders.map(({ machine }) => jobName(name, machine))];
  return records.flatMap((record) => {
    const last = snapshot.jobs.get(record)?.runs.at(-1);
    return last === undefined ? [] : [ofRun(last, wallMs, snapshot.members.get(last.machine)?.name)];
  });
};

function ofRun(last: JobRun, wallMs: number, machine = "a machine"): Reason {
  const { number, attempt, state, notBefore, reason, cause, started, ended } = last;
  const which = `run ${number}${attempt > 1 ? `, attempt ${attempt},` : ""}`;
  const why = reason === "" ? "" : `: ${reason}`;
  switch (state) {
    case "waiting":
      return {
        topic: "job",
        text:
          notBefore > wallMs
            ? `${which} is tried again in ${spanWords(notBefore - wallMs)}${why}`
            : `${which} waits for a machine (${cause})${why}`,
      };
    case "running":
      return {
        topic: "job",
        text: `${which} runs on ${machine} for ${spanWords(wallMs - started)} (${cause})`,
      };
    case "succeeded":
      return {
        topic: "job",
        text: `${which} succeeded on ${machine} ${spanWords(wallMs - ended)} ago (${cause})`,
      };
    case "failed":
      return { topic: "job", text: `${which} failed ${spanWords(wallMs - ended)} ago${why} (${cause})` };
  }
}

export const timer: Finder = ({ name, snapshot, wallMs }) => {
  const record = snapshot.timers.get(name);
  if (record === undefined) return [];
  const { next, last, reason, outcome, target } = record;
  if (reason !== "") return [{ topic: "timer", text: `it does not fire: ${reason}` }];
  const before = last === 0 ? "" : `; the last time ${spanWords(wallMs - last)} ago: ${outcome}`;
  if (next === 0) return [{ topic: "timer", text: `it does not fire again${before}` }];
  const due = new Date(next).toISOString().slice(0, 19).replace("T", " ");
  return [
    { topic: "timer", text: `it starts ${target} in ${spanWords(next - wallMs)}, at ${due} UTC${before}` },
  ];
};
