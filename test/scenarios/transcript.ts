// Scenarios as text that a person can read. Lines with > are commands (LEADER stands for the machine that leads),
// those with | below one are its file, the others say what is seen then. See testdata/.
import type { Confirmation, Intent, Selector } from "../../packages/keelson/src/model/operation.ts";
import { compareNames } from "../../packages/keelson/src/model/unit-name.ts";
import type { Unit } from "../../packages/keelson/src/model/unit.ts";
import { numberOf, unitOfInstance, versionList } from "../../packages/keelson/src/model/version-of.ts";
import { refusalOf, SimulatedCluster } from "./simulated-cluster.ts";
import type { SimulatedMachine } from "./simulated-machine.ts";

interface Step {
  /** Comments and blank lines before the command. */
  readonly before: readonly string[];
  readonly command: string;
  readonly file: readonly string[];
  readonly seen: readonly string[];
}

export interface Transcript {
  readonly steps: readonly Step[];
  readonly after: readonly string[];
}

export function parseTranscript(text: string): Transcript {
  const steps: { before: string[]; command: string; file: string[]; seen: string[] }[] = [];
  let before: string[] = [];
  for (const line of text.replace(/\n$/, "").split("\n")) {
    if (line.startsWith("> ")) {
      steps.push({ before, command: line.slice(2), file: [], seen: [] });
      before = [];
    } else if (line === "" || line.startsWith("#")) {
      before.push(line);
    } else if (line.startsWith("|")) {
      steps.at(-1)?.file.push(line.slice(1));
    } else {
      steps.at(-1)?.seen.push(line);
    }
  }
  return { steps, after: before };
}

/** The transcript with what is really seen. */
export async function playTranscript({ steps, after }: Transcript, seed: number): Promise<string> {
  await using stage = new Stage(seed);
  const lines: string[] = [];
  for (const { before, command, file } of steps) {
    lines.push(...before, `> ${command}`, ...file.map((line) => `|${line}`));
    lines.push(...(await stage.play(command, file)));
  }
  return [...lines, ...after, ""].join("\n");
}

class Stage implements AsyncDisposable {
  readonly #cluster: SimulatedCluster;
  #seenEvents = 0;

  constructor(seed: number) {
    this.#cluster = new SimulatedCluster(seed);
  }

  async play(command: string, file: readonly string[]): Promise<string[]> {
    const cluster = this.#cluster;
    const leader = (word: string): string => (word === "LEADER" ? cluster.leader : word);
    const [verb = "", ...words] = command.split(/\s+/).map(leader);
    const [name = ""] = words;
    switch (verb) {
      case "machine":
        await cluster.add(
          name,
          Object.fromEntries(words.slice(1).map((word) => word.split("=") as [string, string])),
        );
        return [];
      case "wait":
        return this.#wait(Number.parseFloat(name) * 1000);
      case "show":
        return this.#show();
      case "jobs":
        return this.#jobs();
      case "timers":
        return this.#timers();
      case "why":
        return this.#why(name);
      case "count":
        return this.#count();
      case "rollout":
        return this.#rollout(name);
      case "fails":
        cluster.machine(name).host.end(words[1] ?? "");
        return [];
      case "ails":
        cluster.ail(name, words.slice(1).join(" "));
        return [];
      case "recovers":
        cluster.ail(name, undefined);
        return [];
      case "plan":
        return this.#plan(name, words.slice(1), file);
      case "crash":
        cluster.machine(name).losePower();
        return [];
      case "power-on":
        await cluster.machine(name).start();
        return [];
      case "freeze":
        cluster.machine(name).freeze();
        return [];
      case "thaw":
        cluster.thaw(name);
        return [];
      case "cut":
        cluster.machine(name).cut();
        return [];
      case "heal":
        cluster.machine(name).heal();
        return [];
      case "kill-keeld":
        cluster.machine(name).killDaemon();
        return [];
      case "stop-keeld":
        await cluster.machine(name).stopDaemon();
        return [];
      case "start-keeld":
        await cluster.machine(name).startDaemon();
        return [];
      case "stop-store":
        cluster.store.stop();
        return [];
      case "start-store":
        cluster.store.start();
        return [];
      default:
        return this.#ask(verb, words, file);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cluster[Symbol.asyncDispose]();
  }

  async #ask(verb: string, words: readonly string[], file: readonly string[]): Promise<string[]> {
    try {
      const { summary } = await this.#cluster.ask(intentOf(verb, words, file), confirmationIn(words));
      return [summary];
    } catch (error) {
      return [refusalOf(error)];
    }
  }

  #plan(verb: string, words: readonly string[], file: readonly string[]): string[] {
    const { operation, notes } = this.#cluster.plan(intentOf(verb, words, file));
    const { affected, total, instances } = operation.impact;
    return [`${operation.summary}: ${affected} of ${total} units, ${instances} instances`, ...notes];
  }

  /** What happened meanwhile, with the seconds since the command. */
  async #wait(ms: number): Promise<string[]> {
    const { clock, events } = this.#cluster;
    const from = clock.now();
    await this.#cluster.run(ms);
    const news = events.slice(this.#seenEvents);
    this.#seenEvents = events.length;
    return coarse(
      news.map(({ atMs, text }) => ({ halfSeconds: Math.max(0, Math.round((atMs - from) / 500)), text })),
    );
  }

  #show(): string[] {
    const { snapshot, machines } = this.#cluster;
    return [...machines.values()].map(({ name, state, isCut, hasDaemon, host }) => {
      const isUp = snapshot.machines.has(host.machineId);
      const notes = [isUp ? "reports" : "does not report", ...(state === "up" ? [] : [state])];
      if (isCut) notes.push("cut off");
      if (state === "up" && !hasDaemon) notes.push("no keeld");
      const units = host.running.sort().join(" ");
      return `${name} (${notes.join(", ")}): ${units === "" ? "nothing runs" : units}`;
    });
  }

  /** Every run, as the store has it. */
  #jobs(): string[] {
    const { snapshot } = this.#cluster;
    const nameOf = (id: string): string => snapshot.members.get(id)?.name ?? "nowhere";
    return [...snapshot.jobs.values()]
      .toSorted((a, b) => compareNames(a.name, b.name))
      .flatMap(({ instance, machine, runs }) => {
        const where = machine === "" ? "" : ` of ${nameOf(machine)}`;
        return runs.map(({ number, cause, state, attempt, machine: on, reason }) => {
          const why = reason === "" ? "" : `: ${reason}`;
          return `${instance}${where} run ${number} (${cause}) ${state} on ${nameOf(on)}, attempt ${attempt}${why}`;
        });
      });
  }

  /** The unit's rollout, and which version each machine runs. */
  #rollout(name: string): string[] {
    const { snapshot } = this.#cluster;
    const unit = snapshot.units.get(name);
    if (unit === undefined) return ["there is no such unit"];
    const versions = versionList(unit, snapshot);
    const numbers = versions.map(
      ({ number, failed }) => `${number}${failed === undefined ? "" : " (failed)"}`,
    );
    const rollout = snapshot.rollouts.get(name);
    const words =
      rollout === undefined
        ? "no rollout"
        : `${rollout.state}${rollout.reason === "" ? "" : `: ${rollout.reason}`}`;
    return [
      `versions ${numbers.join(", ")}; the unit has ${numberOf(unit.hash, versions)}; ${words}`,
      ...[...this.#cluster.machines.values()].flatMap((machine) => this.#versionsOn(machine, unit)),
    ];
  }

  #versionsOn({ name, host }: SimulatedMachine, unit: Unit): string[] {
    const { snapshot } = this.#cluster;
    const versions = versionList(unit, snapshot);
    const all = [...(snapshot.statuses.get(host.machineId)?.values() ?? [])];
    return all
      .filter((status) => unitOfInstance(status.unit, snapshot)?.name === unit.name)
      .map(({ unit, hash, active }) => `  ${name} ${unit} version ${numberOf(hash, versions)} ${active}`)
      .sort();
  }

  /** Every timer of the cluster, as the store has it. */
  #timers(): string[] {
    const { snapshot } = this.#cluster;
    const time = (ms: number): string => (ms === 0 ? "never" : new Date(ms).toISOString().slice(0, 19));
    return [...snapshot.timers.values()].map(
      ({ name, target, last, next, reason, outcome }) =>
        `${name} for ${target}: last ${time(last)}${outcome === "" ? "" : ` (${outcome})`}, next ${time(next)}${reason === "" ? "" : ` (${reason})`}`,
    );
  }

  #why(name: string): string[] {
    return this.#cluster
      .why(name)
      .flatMap(({ name, because, waitsFor, machines }) => [
        `${name}: ${waitsFor === "" ? because : waitsFor}`,
        ...machines.map((it) => `  ${it.name} ${it.reasons.join("; ")}`),
      ]);
  }

  /** What is in the store, by kind. */
  #count(): string[] {
    const { store } = this.#cluster;
    const kinds = new Map<string, number>();
    for (const { key } of store.values) {
      const kind = key.split("/")[2] ?? "";
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    return [[...kinds].map(([kind, count]) => `${kind} ${count}`).join(", ")];
  }
}

/** To half a second, and what falls together in a fixed order: a transcript tells what happens, not how fast. */
function coarse(events: readonly { readonly halfSeconds: number; readonly text: string }[]): string[] {
  const kinds = [" leads", " stopped ", " failed ", " runs ", "alarm"];
  const kind = (text: string): number => kinds.findIndex((word) => text.includes(word));
  return events
    .toSorted(
      (a, b) => a.halfSeconds - b.halfSeconds || kind(a.text) - kind(b.text) || (a.text < b.text ? -1 : 1),
    )
    .map(({ halfSeconds, text }) => `${(halfSeconds / 2).toFixed(1)} ${text}`);
}

function intentOf(verb: string, words: readonly string[], file: readonly string[]): Intent {
  const valued = ["--confirm", "--max-impact"];
  const names = words.filter((word, at) => !word.startsWith("--") && !valued.includes(words[at - 1] ?? ""));
  const units: Selector = words.includes("--all") ? { all: true } : { names };
  const [name = "", number = ""] = names;
  switch (verb) {
    case "submit":
    case "load":
    case "run":
      return {
        kind: "submit",
        files: names.map((name) => ({ name, body: bodyOf(file) })),
        desired: verb === "run" ? "launched" : verb === "load" ? "loaded" : "inactive",
        replace: words.includes("--replace"),
      };
    case "start":
      return { kind: "set-desired", units, desired: "launched" };
    case "stop":
      return { kind: "set-desired", units, desired: "loaded" };
    case "unload":
      return { kind: "set-desired", units, desired: "inactive" };
    case "restart":
      return { kind: "restart", units };
    case "destroy":
      return { kind: "destroy", units };
    case "scale":
      return { kind: "scale", unit: name, replicas: Number(number) };
    case "rollback":
      return { kind: "rollback", unit: name, ...(number === "" ? {} : { to: Number(number) }) };
    case "pause":
    case "resume":
    case "abort":
      return { kind: "rollout", unit: name, action: verb };
    case "undo":
      return name === "" ? { kind: "undo" } : { kind: "undo", operation: name };
    case "settings":
      return { kind: "configure", overcommit: { memory: Number(name.split("=")[1]) } };
    case "remove-machine":
      return { kind: "remove-machine", machine: name };
    case "cordon":
    case "uncordon":
      return { kind: "cordon", machine: name, cordoned: verb === "cordon" };
    case "rebalance":
      return { kind: "rebalance", most: name === "" ? 10 : Number(name) };
    case "auto-rebalance":
      return { kind: "configure", autoRebalance: name === "on" };
    case "drain":
      return {
        kind: "drain",
        machine: name,
        reason: "",
        ...(number === "" ? {} : { deadlineSeconds: Number(number) }),
      };
    default:
      throw new Error(`no such command: ${verb}`);
  }
}

function bodyOf(file: readonly string[]): string {
  const text = file.length === 0 ? "[Service]\nExecStart=/bin/sleep infinity\n" : `${file.join("\n")}\n`;
  return Buffer.from(text).toString("base64");
}

function confirmationIn(words: readonly string[]): Confirmation {
  const valueOf = (option: string): string | undefined => words[words.indexOf(option) + 1];
  return {
    ...(words.includes("--confirm") ? { scope: valueOf("--confirm") ?? "" } : {}),
    ...(words.includes("--max-impact") ? { maxImpact: Number(valueOf("--max-impact")) } : {}),
  };
}
