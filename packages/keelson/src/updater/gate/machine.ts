// What the boot gate sees of the machine it runs on: systemd through systemctl, keeld through its socket.
import { request } from "node:http";
import { parseConfiguration } from "../../base/configuration.ts";
import { readIfThere } from "../../host/atomic-file.ts";
import { runProgram } from "../../host/run-program.ts";
import { bootMarks, statePaths } from "../../model/os-image.ts";
import type { GateFacts, KeeldFacts, UnitFact } from "./decision.ts";

/** Where a machine's configuration for keeld may come from, the first that is there. */
const configurations = [
  "/run/credentials/@system/keelson.config",
  "/run/credstore/keelson.config",
  `${statePaths.credentials}/keelson.config`,
] as const;
const manifest = "/run/keelson/units.json";
const askMs = 5000;

const properties = [
  "Id",
  "ActiveState",
  "LoadState",
  "ConditionResult",
  "ConditionTimestampMonotonic",
  "WantedBy",
  "RequiredBy",
  "StateChangeTimestampMonotonic",
];
const kinds = ["service", "socket", "mount", "path", "timer"];

/** Everything but the seconds, which the caller counts. */
export async function lookAtMachine(): Promise<Omit<GateFacts, "seconds">> {
  const [shown, uptime, scheduled, rescue, keeld] = await Promise.all([
    showUnits(),
    uptimeSeconds(),
    scheduledUnits(),
    readIfThere(bootMarks.rescue),
    lookAtKeeld(),
  ]);
  const units = parseUnits(shown, { uptime, scheduled });
  const booted = isActive(shown, "multi-user.target");
  return {
    booted,
    jobs: booted ? [] : await runningJobs(),
    units,
    ...(rescue === undefined ? {} : { rescue: rescue.trim().slice(0, 400) }),
    ...(keeld === undefined ? {} : { keeld: { ...keeld, active: isActive(shown, "keeld.service") } }),
  };
}

export async function uptimeSeconds(): Promise<number> {
  return Number((await readIfThere("/proc/uptime"))?.split(" ")[0] ?? 0);
}

/** The uptime at which the first process began: next to none, but in a container, which shares its host's clock. */
export async function firstProcessSeconds(): Promise<number> {
  const stat = (await readIfThere("/proc/1/stat")) ?? "";
  // Field 22, in hundredths: proc_pid_stat(5). The name before it may hold anything.
  const ticks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? 0);
  return Number.isFinite(ticks) ? ticks / 100 : 0;
}

async function showUnits(): Promise<string> {
  const patterns = [...kinds.map((kind) => `*.${kind}`), "multi-user.target"];
  const argv = ["systemctl", "show", "--no-pager", `--property=${properties.join(",")}`, "--"] as const;
  return (await runProgram([...argv, ...patterns], { timeoutMs: 60_000 })).stdout;
}

/** Unit states out of what `systemctl show` prints: blocks of NAME=value, an empty line between them. */
export function parseUnits(
  shown: string,
  { uptime, scheduled }: { readonly uptime: number; readonly scheduled: ReadonlySet<string> },
): readonly UnitFact[] {
  return blocks(shown).flatMap((block) => {
    const name = block.get("Id") ?? "";
    if (name === "" || name.endsWith(".target") || block.get("LoadState") !== "loaded") return [];
    const since = Number(block.get("StateChangeTimestampMonotonic") ?? 0) / 1e6;
    const wanted = `${block.get("WantedBy") ?? ""} ${block.get("RequiredBy") ?? ""}`;
    const wasAsked = (block.get("ConditionTimestampMonotonic") ?? "0") !== "0";
    return {
      name,
      active: block.get("ActiveState") ?? "",
      seconds: since > 0 ? Math.max(0, uptime - since) : 0,
      standing: /\.target( |$)/.test(wanted),
      scheduled: scheduled.has(name),
      skipped: wasAsked && block.get("ConditionResult") === "no",
    };
  });
}

function isActive(shown: string, name: string): boolean {
  return blocks(shown).some((block) => block.get("Id") === name && block.get("ActiveState") === "active");
}

function blocks(shown: string): readonly ReadonlyMap<string, string>[] {
  return shown.split("\n\n").map((block) => {
    const lines = block.split("\n").filter((line) => line.includes("="));
    return new Map(
      lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
  });
}

/** `foo.service` for every job that runs, the gate's own and those that wait left out. */
async function runningJobs(): Promise<readonly string[]> {
  const argv = ["systemctl", "list-jobs", "--no-pager", "--plain", "--no-legend"] as const;
  const { stdout } = await runProgram(argv, { timeoutMs: 30_000 });
  return stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, unit, , state]) => state === "running" && unit !== "keelson-gate.service")
    .map(([, unit = ""]) => unit);
}

/** systemd's units of what keeld was ordered to have running. */
async function scheduledUnits(): Promise<ReadonlySet<string>> {
  try {
    const entries = JSON.parse((await readIfThere(manifest)) ?? "{}") as Record<
      string,
      { readonly service?: unknown; readonly note?: { readonly desired?: unknown; readonly run?: unknown } }
    >;
    // What runs to its end is not meant to be active.
    const standing = Object.values(entries).filter(
      ({ note }) => note?.desired === "launched" && note.run === undefined,
    );
    return new Set(standing.flatMap(({ service }) => (typeof service === "string" ? [service] : [])));
  } catch {
    return new Set();
  }
}

/** Undefined without a configuration. One that cannot be read is keeld's to complain about. */
async function lookAtKeeld(): Promise<Omit<KeeldFacts, "active"> | undefined> {
  const text = await firstText(configurations);
  if (text === undefined) return undefined;
  let socket = "/run/keelson/api.sock";
  try {
    const configuration = parseConfiguration(text, "keelson.config");
    if (!configuration.roles.includes("api")) return { answers: true };
    ({ socket } = configuration.api);
  } catch {
    return { answers: false };
  }
  const answer = await ask(socket, "/v1/contact").catch(() => undefined);
  if (answer === undefined) return { answers: false };
  const contact = (answer as { readonly hasContact?: unknown } | null)?.hasContact;
  return { answers: true, store: contact === true };
}

async function firstText(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const text = await readIfThere(path);
    if (text !== undefined) return text;
  }
  return undefined;
}

/** Asks a daemon at its socket; rejects unless it answers 200 with JSON of at most 64 KiB in time. */
export function ask(socketPath: string, path: string, timeoutMs = askMs): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const signal = AbortSignal.timeout(timeoutMs);
  const asked = request({ socketPath, path, signal }, (answer) => {
    let text = "";
    answer.setEncoding("utf8");
    answer.on("data", (chunk: string) => {
      text += chunk;
      if (text.length > 65_536) asked.destroy(new Error("the answer has no end"));
    });
    answer.on("error", reject);
    answer.on("end", () => {
      if (answer.statusCode !== 200) return reject(new Error(`the daemon answers ${answer.statusCode}`));
      try {
        resolve(JSON.parse(text));
      } catch (error) {
        reject(error as Error);
      }
    });
  });
  asked.on("error", reject);
  asked.end();
  return promise;
}
