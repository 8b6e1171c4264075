// How a unit is replaced by another version of its file.
import type { UnitFile } from "@keelson/systemd";
import type { KeelsonContext } from "./keelson-section.ts";
import { refuse } from "./option.ts";
import type { UpdateRules } from "./rules.ts";
import { amount, only, oneOf, timeSpan } from "./value.ts";

const section = "X-Keelson";
const dayMs = 24 * 3_600_000;

/** @throws KeelError KEEL-102 */
export function readUpdate(file: UnitFile, { global }: KeelsonContext): UpdateRules {
  const unavailable = amount(file, { section, key: "MaxUnavailable" });
  const surge = amount(file, { section, key: "MaxSurge" });
  const surging = only(file, { section, key: "MaxSurge" });
  if (global && surging !== undefined)
    refuse("MaxSurge= and Global= exclude each other", { file, position: surging.position });
  const maxSurge = surge ?? { count: 0 };
  const isSurging = "count" in maxSurge ? maxSurge.count > 0 : maxSurge.percent > 0;
  const maxUnavailable = unavailable ?? { count: isSurging ? 0 : 1 };
  const isNone = "count" in maxUnavailable ? maxUnavailable.count === 0 : maxUnavailable.percent === 0;
  if (isNone && !isSurging) {
    const position = only(file, { section, key: "MaxUnavailable" })?.position ?? { line: 1, column: 1 };
    refuse("MaxUnavailable=0 needs MaxSurge=1 or more: otherwise nothing could be replaced", {
      file,
      position,
    });
  }
  return {
    maxUnavailable,
    maxSurge,
    healthyForMs: timeSpan(file, { section, key: "UpdateHealthyFor" }, { least: 0, most: dayMs }) ?? 2000,
    timeoutMs: timeSpan(file, { section, key: "UpdateTimeout" }, { least: 1000, most: dayMs }) ?? 300_000,
    onFailure: oneOf(file, { section, key: "UpdateOnFailure" }, ["rollback", "pause"]) ?? "rollback",
  };
}
