// Checks that keeld makes itself, and what follows from failures.
import type { UnitFile } from "@keelson/systemd";
import type { KeelsonContext } from "./keelson-section.ts";
import { refuse } from "./option.ts";
import type { HealthProbe, HealthRules, MoveAfterRules } from "./rules.ts";
import { only, oneOf, timeSpan, wholeNumber } from "./value.ts";

const section = "X-Keelson";
const hourMs = 3_600_000;

/** @throws KeelError KEEL-102 */
export function readHealth(file: UnitFile, { expand }: KeelsonContext): HealthRules | undefined {
  const probe = readProbe(file, expand);
  const settings = {
    intervalMs: timeSpan(file, { section, key: "HealthInterval" }, { least: 100, most: hourMs }),
    timeoutMs: timeSpan(file, { section, key: "HealthTimeout" }, { least: 100, most: hourMs }),
    retries: wholeNumber(file, { section, key: "HealthRetries" }, { least: 1, most: 1000 }),
    startPeriodMs: timeSpan(file, { section, key: "HealthStartPeriod" }, { least: 0, most: 24 * hourMs }),
    onFailure: oneOf(file, { section, key: "HealthOnFailure" }, ["none", "restart"]),
  };
  if (probe !== undefined) {
    return {
      probe,
      intervalMs: settings.intervalMs ?? 10_000,
      timeoutMs: settings.timeoutMs ?? 5000,
      retries: settings.retries ?? 3,
      startPeriodMs: settings.startPeriodMs ?? 0,
      onFailure: settings.onFailure ?? "restart",
    };
  }
  const stray = file.assignments(section).find(({ key }) => key.startsWith("Health"));
  if (stray === undefined) return undefined;
  const hint = "Quadlet’s own health keys belong into [Container].";
  const message = `${stray.key}= needs HealthCmd=, HealthHTTP= or HealthTCP= beside it`;
  return refuse(message, { file, position: stray.position, hint });
}

function readProbe(file: UnitFile, expand: (text: string) => string): HealthProbe | undefined {
  const given = ["HealthCmd", "HealthHTTP", "HealthTCP"].flatMap((key) => only(file, { section, key }) ?? []);
  const [first, second] = given;
  if (first === undefined) return undefined;
  if (second !== undefined)
    refuse(`${first.key}= and ${second.key}= exclude each other`, { file, position: second.position });
  const value = expand(first.value);
  const at = { file, position: first.valuePosition };
  if (value === "" || value.length > 2000) refuse(`${first.key}= takes 1 to 2000 characters`, at);
  if (first.key === "HealthCmd") return { kind: "exec", command: value };
  if (first.key === "HealthTCP") {
    const match = /^([A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(value);
    if (match === null || !isPort(match[2])) refuse(`HealthTCP=${value} is not [HOST]:PORT`, at);
    return { kind: "tcp", address: value };
  }
  const match = /^(?:https?:\/\/)?([A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):(\d{1,5})(\/[^\s]*)?$/.exec(value);
  if (match !== null && isPort(match[2])) return { kind: "http", url: value };
  const hint = "Write :8080/healthz, or http://127.0.0.1:8080/healthz.";
  return refuse(`HealthHTTP=${value} is no URL with a port`, { ...at, hint });
}

const isPort = (text: string | undefined): boolean => Number(text) >= 1 && Number(text) <= 65_535;

/** MoveAfter=3 within MoveWithin=10min unless given; MoveAfter=0 leaves it where it is. */
export function readMoveAfter(file: UnitFile, { global }: KeelsonContext): MoveAfterRules | undefined {
  const failures = wholeNumber(file, { section, key: "MoveAfter" }, { least: 0, most: 1000 }) ?? 3;
  const withinMs =
    timeSpan(file, { section, key: "MoveWithin" }, { least: 1000, most: 24 * hourMs }) ?? 600_000;
  return failures === 0 || global ? undefined : { failures, withinMs };
}
