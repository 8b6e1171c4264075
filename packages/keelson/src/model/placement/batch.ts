// Units that run to their end.
import { parseBoolean, SystemdError, type UnitFile } from "@keelson/systemd";
import { refuse } from "./option.ts";
import type { BatchRules } from "./rules.ts";
import { timeSpan, wholeNumber } from "./value.ts";

const section = "X-Keelson";

/** @throws KeelError KEEL-102 */
export function readBatch(file: UnitFile): BatchRules | undefined {
  const retries = wholeNumber(file, { section, key: "Retries" }, { least: 0, most: 1000 });
  const retryDelayMs = timeSpan(file, { section, key: "RetryDelay" }, { least: 0, most: 86_400_000 });
  if (runsToItsEnd(file)) {
    refuseStrangers(file);
    return { retries: retries ?? 0, retryDelayMs: retryDelayMs ?? 10_000 };
  }
  const stray = file.assignments(section).find(({ key }) => key === "Retries" || key === "RetryDelay");
  if (stray === undefined) return undefined;
  const hint = "Set Type=oneshot in [Service]; for other units systemd’s Restart= says what happens.";
  return refuse(`${stray.key}= is for units that run to their end`, {
    file,
    position: stray.position,
    hint,
  });
}

/** What runs to its end is up at no time, and a new file counts from its next run on. */
function refuseStrangers(file: UnitFile): void {
  const isStranger = (key: string): boolean => /^(?:Health|Update)|^Max(?:Surge|Unavailable)$/.test(key);
  const stranger = file.assignments(section).find(({ key }) => isStranger(key));
  if (stranger === undefined) return;
  const hint = "With RemainAfterExit=yes in [Service] it counts as up after its command.";
  refuse(`${stranger.key}= is not for units that run to their end (Type=oneshot)`, {
    file,
    position: stranger.position,
    hint,
  });
}

function runsToItsEnd(file: UnitFile): boolean {
  const last = (key: string): string | undefined => file.assignments("Service", key).at(-1)?.value;
  return last("Type") === "oneshot" && !isTrue(last("RemainAfterExit"));
}

function isTrue(value: string | undefined): boolean {
  if (value === undefined) return false;
  try {
    return parseBoolean(value);
  } catch (error) {
    if (error instanceof SystemdError) return false;
    throw error;
  }
}
