// What a unit needs: systemd's own resource settings and podman's, and requests where those do not say enough.
import { parseSize, splitWords, SystemdError, type UnitFile } from "@keelson/systemd";
import { refuse } from "./option.ts";
import type { ResourceRules } from "./rules.ts";
import { only } from "./value.ts";

const section = "X-Keelson";
/** Where a file says what the kernel holds its processes to; Quadlets hand it on to the service made of them. */
const limiting = "Service";
/** Sections of Quadlets that have podman make a container or a pod with limits of its own. */
const podmanSections = ["Container", "Pod", "Kube"];

/** Memory in bytes, or as a share of the machine's own. */
interface Memory {
  readonly bytes: number;
  readonly share: number;
}

/** @throws KeelError KEEL-102 for a request of Keelson's; systemd and podman judge their own settings */
export function readResources(file: UnitFile): ResourceRules {
  const podman = podmanOptions(file);
  const memory = memoryRequest(file) ?? memoryOf(file, podman);
  return {
    memoryBytes: memory?.bytes ?? 0,
    memoryShare: memory?.share ?? 0,
    cpus: cpuRequest(file) ?? quota(file) ?? number(podman.get("--cpus")) ?? 0,
    limits: [
      ...(limits(file, memoryKeys) || has(podman, podmanMemory) ? (["memory"] as const) : []),
      ...(limits(file, cpuKeys) || has(podman, ["--cpus", "--cpu-quota"]) ? (["cpu"] as const) : []),
      ...(limits(file, ["TasksMax"]) || has(podman, ["--pids-limit"]) ? (["pids"] as const) : []),
    ],
  };
}

/** What is kept for it, then what it may take at most. */
const memoryKeys = ["MemoryMin", "MemoryLow", "MemoryHigh", "MemoryMax"];
const podmanMemory = ["--memory-reservation", "--memory"];
const cpuKeys = ["CPUQuota", "CPUWeight"];

function memoryRequest(file: UnitFile): Memory | undefined {
  const given = only(file, { section, key: "MemoryRequest" });
  if (given === undefined) return undefined;
  const memory = memoryIn(given.value);
  if (memory !== undefined) return memory;
  const hint = "Write a number of bytes, 512M, 2G, or a share of the machine’s memory: 20%.";
  return refuse(`MemoryRequest=${given.value} is no size`, { file, position: given.valuePosition, hint });
}

function cpuRequest(file: UnitFile): number | undefined {
  const given = only(file, { section, key: "CPURequest" });
  if (given === undefined) return undefined;
  const cpus = /^\d{1,5}(\.\d{1,3})?$/.test(given.value) ? Number(given.value) : Number.NaN;
  if (!Number.isNaN(cpus)) return cpus;
  const hint = "Write processors: 2, 0.5.";
  return refuse(`CPURequest=${given.value} is no number of processors`, {
    file,
    position: given.valuePosition,
    hint,
  });
}

/** The first that says something. `infinity` and 0 ask for nothing. */
function memoryOf(file: UnitFile, podman: ReadonlyMap<string, string>): Memory | undefined {
  const [reservation = "", limit = ""] = podmanMemory.map((option) => podman.get(option));
  const [min = "", low = "", high = "", max = ""] = memoryKeys.map((key) => last(file, limiting, key));
  for (const value of [min, low, reservation, high, max, limit]) {
    const memory = memoryIn(value);
    if (memory !== undefined && memory.bytes + memory.share > 0) return memory;
  }
  return undefined;
}

function memoryIn(value: string): Memory | undefined {
  if (value === "") return undefined;
  const percent = /^(\d{1,3}(?:\.\d{1,2})?)%$/.exec(value)?.[1];
  if (percent !== undefined && Number(percent) <= 100) return { bytes: 0, share: Number(percent) / 100 };
  try {
    // podman writes b, k, m and g.
    const bytes = parseSize(value.replace(/[bkmg]$/, (letter) => letter.toUpperCase()));
    return Number.isSafeInteger(bytes) ? { bytes, share: 0 } : undefined;
  } catch (error) {
    if (error instanceof SystemdError) return undefined;
    throw error;
  }
}

function quota(file: UnitFile): number | undefined {
  const match = /^(\d{1,7}(\.\d+)?)%$/.exec(last(file, limiting, "CPUQuota") ?? "");
  return match === null ? undefined : Number(match[1]) / 100;
}

const number = (text = ""): number | undefined => (/^\d{1,5}(\.\d+)?$/.test(text) ? Number(text) : undefined);

/** Whether the file sets one of the keys to something that limits. */
const limits = (file: UnitFile, keys: readonly string[]): boolean =>
  keys.some((key) => !["", "infinity"].includes(last(file, limiting, key) ?? ""));

const has = (options: ReadonlyMap<string, string>, names: readonly string[]): boolean =>
  names.some((name) => options.has(name));

/** The last assignment counts; an empty one takes the others back. */
const last = (file: UnitFile, section: string, key: string): string | undefined =>
  file.assignments(section, key).at(-1)?.value;

/** podman's options for resources, as Quadlet's own keys or in PodmanArgs=. */
function podmanOptions(file: UnitFile): Map<string, string> {
  const options = new Map<string, string>();
  for (const section of podmanSections) {
    if (!file.has(section)) continue;
    const words = file.assignments(section, "PodmanArgs").flatMap(({ value }) => wordsOf(value));
    for (const [at, word] of words.entries()) {
      const [name = "", inline] = word.split("=", 2);
      const option = name === "-m" ? "--memory" : name;
      if (read.includes(option)) options.set(option, inline ?? words[at + 1] ?? "");
    }
    const [memory, pids] = ["Memory", "PidsLimit"].map((key) => last(file, section, key));
    if (memory !== undefined) options.set("--memory", memory);
    if (pids !== undefined) options.set("--pids-limit", pids);
  }
  return options;
}

const read = [...podmanMemory, "--cpus", "--cpu-quota", "--pids-limit"];

function wordsOf(value: string): string[] {
  try {
    return splitWords(value).map(({ text }) => text);
  } catch (error) {
    if (error instanceof SystemdError) return [];
    throw error;
  }
}
