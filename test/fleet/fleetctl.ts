// A stand-in for the original fleetctl 1.0: it sends the same requests in the same order, waits for the same words,
// and falls over where that fell over. For tests against a real API, over its socket or over TCP.
import { readFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseOptions, serialiseOptions } from "../../packages/keelson/src/api/fleet/options.ts";
import type { FleetOption } from "../../packages/keelson/src/api/fleet/options.ts";

export type State = "inactive" | "loaded" | "launched";

export interface Unit {
  readonly name: string;
  readonly options?: readonly FleetOption[];
  readonly desiredState: State;
  readonly currentState: State;
  readonly machineID?: string;
}

export interface UnitState {
  readonly name: string;
  readonly hash: string;
  readonly machineID?: string;
  readonly systemdLoadState: string;
  readonly systemdActiveState: string;
  readonly systemdSubState: string;
}

export interface Machine {
  readonly id: string;
  readonly primaryIP: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The socket's path, or a host and a port. */
export type Endpoint = { readonly socketPath: string } | { readonly host: string; readonly port: number };

/** Where the original would have died of a nil pointer, or would have waited for ever. */
export class FleetctlStuck extends Error {}

/** What the server said in refusal. */
export class FleetctlError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface FleetctlOptions {
  readonly endpoint: Endpoint;
  /** What --block-attempts says; without it the original polls for ever, and this one for so long. */
  readonly patienceMs?: number;
  /** --replace */
  readonly replace?: boolean;
}

interface UnitBody {
  readonly name: string;
  readonly options?: readonly FleetOption[];
  readonly desiredState?: State;
}

const pollMs = 250;

export class Fleetctl {
  readonly #options: FleetctlOptions;
  /** Requests in the order in which they were sent: `PUT units/a.service launched`. */
  readonly sent: string[] = [];

  constructor(options: FleetctlOptions) {
    this.#options = options;
  }

  async listMachines(): Promise<readonly Machine[]> {
    return await this.#pages<Machine>("machines", "machines");
  }

  async listUnits(): Promise<readonly UnitState[]> {
    const states = await this.#pages<UnitState>("state", "states");
    if (states.length > 0) await this.listMachines();
    return states;
  }

  async listUnitFiles(): Promise<readonly Unit[]> {
    const units = await this.#units();
    if (units.some(({ machineID }) => machineID !== undefined)) await this.listMachines();
    return units;
  }

  /** What it prints: the options written as a file. */
  async cat(name: string): Promise<string> {
    const unit = await this.unit(mangled(name));
    if (unit === undefined) throw new FleetctlError(404, `Unit ${name} not found`);
    return serialiseOptions(unit.options ?? []);
  }

  async submit(...files: readonly string[]): Promise<void> {
    for (const file of files) await this.#create(file, ["inactive"]);
  }

  async load(...files: readonly string[]): Promise<void> {
    for (const file of files) await this.#create(file, ["inactive", "loaded"]);
    await this.#bringTo("loaded", files);
  }

  async start(...files: readonly string[]): Promise<void> {
    for (const file of files) await this.#create(file, ["inactive", "loaded", "launched"]);
    const started = await this.#bringTo("launched", files);
    for (const name of started) await this.#untilActive(name);
  }

  async stop(...names: readonly string[]): Promise<void> {
    const stopping: string[] = [];
    for (const unit of await this.#found(names)) {
      if (!isGlobal(unit)) {
        if (unit.currentState === "inactive")
          throw new FleetctlError(1, `Unable to stop unit ${unit.name} in state inactive`);
        if (unit.currentState === "loaded") continue;
        stopping.push(unit.name);
      }
      await this.#setState(unit.name, "loaded");
    }
    for (const name of stopping) await this.#until(name, "loaded");
  }

  async unload(...names: readonly string[]): Promise<void> {
    const waiting: string[] = [];
    for (const unit of await this.#found(names)) {
      if (!isGlobal(unit) && unit.currentState === "inactive") continue;
      await this.#setState(unit.name, "inactive");
      if (!isGlobal(unit)) waiting.push(unit.name);
    }
    for (const name of waiting) await this.#until(name, "inactive");
  }

  /** As the original has it: after the request for `loaded` it waits for `launched`. */
  async restart(...names: readonly string[]): Promise<void> {
    const units = await this.#found(names);
    for (const name of names) await this.unit(mangled(name));
    for (const { name, currentState } of units) {
      // It says that it is unable to, and goes on with the next.
      if (currentState === "inactive") continue;
      if (currentState === "launched") {
        await this.#setState(name, "loaded");
        await this.#until(name, "launched");
      }
      await this.#setState(name, "launched");
      await this.#until(name, "launched");
    }
  }

  async destroy(...names: readonly string[]): Promise<void> {
    for (const { name } of await this.#found(names)) await this.#send("DELETE", `units/${name}`);
  }

  /** The address that `ssh`, `status` and `journal` go to. */
  async addressOf(name: string): Promise<string> {
    const unit = await this.unit(mangled(name));
    if (unit === undefined) throw new FleetctlError(404, `Unit ${name} does not exist.`);
    const machine = (await this.listMachines()).find(({ id }) => id === unit.machineID);
    if (machine === undefined) throw new FleetctlError(1, "Could not determine address of machine.");
    return machine.primaryIP;
  }

  async unit(name: string): Promise<Unit | undefined> {
    try {
      return await this.#get<Unit>(`units/${name}`);
    } catch (error) {
      if (error instanceof FleetctlError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Any request: its status and body. */
  raw(method: string, path: string, json?: unknown): Promise<{ status: number; text: string }> {
    const body = json === undefined ? undefined : JSON.stringify(json);
    const separator = path.includes("?") ? "&" : "?";
    return new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { "content-type": "application/json" };
      const sent = httpRequest(
        {
          ...this.#options.endpoint,
          method,
          // Google's library writes the whole URL into the request line.
          path: `http://domain-sock/fleet/v1/${path.replaceAll("@", "%40")}${separator}alt=json`,
          headers: { ...headers, "user-agent": "google-api-go-client/0.5" },
          agent: false,
        },
        (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (part: string) => (text += part));
          response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
        },
      );
      sent.on("error", reject);
      sent.end(body);
    });
  }

  async #create(file: string, replaceable: readonly State[]): Promise<void> {
    const name = mangled(file);
    const known = await this.unit(name);
    const local = await this.#fileOf(file, name, known !== undefined);
    if (known !== undefined) {
      const isSame = local === undefined || serialiseOptions(local) === serialiseOptions(known.options ?? []);
      if (isSame || this.#options.replace !== true) return;
      if (!replaceable.includes(known.desiredState)) return;
    }
    if (local === undefined) throw new FleetctlError(1, `unable to find Unit(${name})`);
    await this.#send("PUT", `units/${name}`, { name, options: local });
    await this.#until(name, "inactive");
  }

  /** The file; of an instance its template's, of the cluster or beside it. */
  async #fileOf(file: string, name: string, isKnown: boolean): Promise<readonly FleetOption[] | undefined> {
    const own = await readIfThere(file);
    const template = /^([^@]+@).+(\.[a-z]+)$/.exec(name);
    if (own !== undefined || template === null) return own;
    const templateName = `${template[1]}${template[2]}`;
    const stored = isKnown ? undefined : await this.unit(templateName);
    return stored?.options ?? (await readIfThere(join(dirname(file), templateName)));
  }

  async #bringTo(state: State, files: readonly string[]): Promise<readonly string[]> {
    const changed: string[] = [];
    for (const name of files.map(mangled)) {
      const unit = await this.unit(name);
      if (unit === undefined) throw new FleetctlError(404, `unable to find unit ${name}`);
      if (unit.desiredState === state) continue;
      await this.#setState(name, state);
      if (!isGlobal(unit)) changed.push(name);
    }
    for (const name of changed) await this.#until(name, state);
    return changed;
  }

  async #setState(name: string, desiredState: State): Promise<void> {
    await this.#send("PUT", `units/${name}`, { desiredState, name });
  }

  async #until(name: string, state: State): Promise<void> {
    await this.#poll(`${name} to be ${state}`, async () => {
      const unit = await this.unit(name);
      const found = unit && (isGlobal(unit) ? unit.desiredState : unit.currentState);
      return found === state;
    });
  }

  async #untilActive(name: string): Promise<void> {
    await this.#poll(`${name} to be active`, async () => {
      const { status, text } = await this.raw("GET", `state/${name}`);
      this.sent.push(`GET state/${name}`);
      if (status === 404) throw new FleetctlStuck(`nil pointer: no state of ${name}`);
      const state = JSON.parse(text) as UnitState;
      return state.systemdActiveState === "active" && state.systemdLoadState === "loaded";
    });
  }

  async #poll(what: string, holds: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + (this.#options.patienceMs ?? 30_000);
    while (!(await holds())) {
      if (performance.now() > end) throw new FleetctlStuck(`waits for ${what} for ever`);
      await sleep(pollMs);
    }
  }

  async #found(names: readonly string[]): Promise<readonly Unit[]> {
    const units = new Map((await this.#units()).map((unit) => [unit.name, unit]));
    return names.flatMap((name) => units.get(mangled(name)) ?? []);
  }

  #units(): Promise<readonly Unit[]> {
    return this.#pages<Unit>("units", "units");
  }

  async #pages<T>(path: string, field: string): Promise<readonly T[]> {
    const all: T[] = [];
    for (let token = ""; ;) {
      const query = token === "" ? "" : `?nextPageToken=${encodeURIComponent(token)}`;
      const page = await this.#get<Record<string, unknown>>(`${path}${query}`);
      all.push(...((page[field] ?? []) as T[]));
      if (typeof page["nextPageToken"] !== "string") return all;
      token = page["nextPageToken"];
    }
  }

  async #get<T>(path: string): Promise<T> {
    return JSON.parse(await this.#send("GET", path)) as T;
  }

  async #send(method: string, path: string, json?: UnitBody): Promise<string> {
    this.sent.push([method, path, json?.desiredState ?? ""].join(" ").trim());
    const { status, text } = await this.raw(method, path, json);
    if (status < 300) return text;
    const { error } = JSON.parse(text) as { error: { code: number; message: string } };
    if (error.code !== status) throw new FleetctlStuck(`an error that is none of fleet’s: ${text}`);
    throw new FleetctlError(status, error.message);
  }
}

const recognised = /\.(service|socket|timer|path|device|mount|automount)$/;

/** The name that a word stands for. */
const mangled = (word: string): string => {
  const name = basename(word);
  return recognised.test(name) ? name : `${name}.service`;
};

const isGlobal = ({ options = [] }: Unit): boolean =>
  options.some(
    ({ section, name, value }) =>
      section === "X-Fleet" && name === "Global" && /^(1|t|true|yes|on)$/i.test(value),
  );

async function readIfThere(path: string): Promise<readonly FleetOption[] | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  return text === undefined ? undefined : parseOptions(text);
}
