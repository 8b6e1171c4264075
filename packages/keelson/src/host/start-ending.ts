// How a unit's last start job ended, from what systemd itself wrote to the journal. A oneshot that ended well is
// forgotten by systemd at once: nothing else tells of it when nobody was listening.
import { runProgram } from "./run-program.ts";
import type { StartEnding } from "./host.ts";

/** @param service systemd's name */
export async function readStartEnding(service: string, sinceMs: number): Promise<StartEnding | undefined> {
  const since = `--since=@${Math.floor(sinceMs / 1000)}`;
  const which = ["_PID=1", `UNIT=${service}`, "JOB_TYPE=start"];
  const argv = ["journalctl", "--quiet", "-n", "5", "-o", "json", since, ...which] as const;
  const { stdout } = await runProgram(argv, { timeoutMs: 5000 });
  const endings = stdout.split("\n").flatMap((line) => parseStartEnding(line) ?? []);
  return endings.findLast(({ at }) => at >= sinceMs);
}

/** One line of `journalctl -o json`; `undefined` for one that tells of no end. */
export function parseStartEnding(line: string): StartEnding | undefined {
  if (line.trim() === "") return undefined;
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof entry !== "object" || entry === null) return undefined;
  const field = (name: string): string => {
    const value: unknown = Object.hasOwn(entry, name) ? Reflect.get(entry, name) : undefined;
    return typeof value === "string" ? value : "";
  };
  const at = Math.floor(Number(field("__REALTIME_TIMESTAMP")) / 1000);
  const result = field("JOB_RESULT");
  if (result === "" || !Number.isFinite(at) || at <= 0) return undefined;
  const invocation = field("INVOCATION_ID");
  return {
    at,
    succeeded: result === "done",
    invocation: /^[0-9a-f]{32}$/.test(invocation) ? invocation : "",
  };
}
