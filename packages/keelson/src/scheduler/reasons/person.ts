// What a person has asked for, and with which operation.
import { spanWords } from "../../base/span.ts";
import { templateName } from "../../model/unit-name.ts";
import type { Operation } from "../../model/operation.ts";
import { type Finder, type Subject } from "./subject.ts";

/** Whoever stopped, unloaded or never started it. What runs as asked for needs no such reason. */
export const askedFor: Finder = (subject) => {
  const { unit, wallMs } = subject;
  if (unit === undefined || unit.desired === "launched") return [];
  const operation = lastOf(subject, ({ before, after }) => before?.desired !== after?.desired);
  const what = unit.desired === "loaded" ? "it is to be on a machine and not to run" : "it is to be nowhere";
  if (operation === undefined) return [{ topic: "person", text: `${what}: nobody has started it` }];
  const { who, via, id, at, summary } = operation;
  const text = `${what}: ${who} (${via}) asked for "${summary}" ${spanWords(wallMs - at)} ago, operation ${id}`;
  return [{ topic: "person", text }];
};

/** The last operation, for what changed a moment ago and is under way. */
export const lastChange: Finder = (subject) => {
  const { unit, wallMs } = subject;
  if (unit?.desired !== "launched") return [];
  const operation = lastOf(subject, () => true);
  if (operation === undefined) return [];
  const { who, via, id, at, summary } = operation;
  const text = `last changed ${spanWords(wallMs - at)} ago: "${summary}", asked for by ${who} (${via}), operation ${id}`;
  return [{ topic: "change", text }];
};

function lastOf(
  { name, snapshot }: Subject,
  counts: (change: Operation["changes"][number]) => boolean,
): Operation | undefined {
  const template = templateName(name);
  let last: Operation | undefined;
  for (const operation of snapshot.operations.values()) {
    if (last !== undefined && last.at >= operation.at) continue;
    const concerns = operation.changes.some((it) => (it.unit === name || it.unit === template) && counts(it));
    if (concerns) last = operation;
  }
  return last;
}
