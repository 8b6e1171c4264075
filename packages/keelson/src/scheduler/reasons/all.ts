// Every reason for how an instance is, what weighs most first.
import { report } from "./machine-report.ts";
import { askedFor, lastChange } from "./person.ts";
import { avoids, leaves, lost, waits } from "./placement.ts";
import { rollout, run, timer } from "./course.ts";
import type { Finder, Reason, Subject } from "./subject.ts";

const finders: readonly Finder[] = [
  askedFor,
  lost,
  waits,
  report,
  leaves,
  avoids,
  rollout,
  run,
  timer,
  lastChange,
];

export const reasonsFor = (subject: Subject): Reason[] => finders.flatMap((find) => [...find(subject)]);
