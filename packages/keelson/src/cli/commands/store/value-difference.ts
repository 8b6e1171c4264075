// What changed between two values: the paths of JSON, or the lines of text.
import { formOf, jsonValue, valueLine, valueText } from "./value-text.ts";

const mostLines = 40;
const width = 100;

/** Lines that begin with +, - or ~; one that says so when nothing did. */
export function difference(before: Uint8Array, after: Uint8Array): readonly string[] {
  if (Buffer.compare(before, after) === 0) return ["= the same value"];
  const [old, now] = [jsonValue(before), jsonValue(after)];
  const lines = old !== undefined && now !== undefined ? paths(old, now, "") : texts(before, after);
  if (lines.length === 0) return ["= the same JSON, written otherwise"];
  if (lines.length <= mostLines) return lines;
  return [...lines.slice(0, mostLines), `… ${lines.length - mostLines} more`];
}

function paths(old: unknown, now: unknown, path: string): readonly string[] {
  if (isObject(old) && isObject(now)) {
    const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
    return names.flatMap((name) => {
      const step = Array.isArray(now) ? `${path}[${name}]` : `${path}.${name}`;
      if (!Object.hasOwn(now, name)) return [`- ${step}: ${short(old[name])}`];
      if (!Object.hasOwn(old, name)) return [`+ ${step}: ${short(now[name])}`];
      return paths(old[name], now[name], step);
    });
  }
  if (JSON.stringify(old) === JSON.stringify(now)) return [];
  return [`~ ${path === "" ? "." : path}: ${short(old)} → ${short(now)}`];
}

function texts(before: Uint8Array, after: Uint8Array): readonly string[] {
  if (formOf(before) === "hex" || formOf(after) === "hex") {
    return [`~ ${valueLine(before, width / 2)} → ${valueLine(after, width / 2)}`];
  }
  const [old, now] = [valueText(before).split("\n"), valueText(after).split("\n")];
  if (old.length === 1 && now.length === 1) {
    return [`~ ${valueLine(before, width / 2)} → ${valueLine(after, width / 2)}`];
  }
  const gone = old.filter((line) => !now.includes(line)).map((line) => `- ${line.slice(0, width)}`);
  return [...gone, ...now.filter((line) => !old.includes(line)).map((line) => `+ ${line.slice(0, width)}`)];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length <= width / 2 ? text : `${text.slice(0, width / 2 - 1)}…`;
}
