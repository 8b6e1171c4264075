// fleet's HTTP API, version 1, over the same snapshots and the same pipeline as our own. Invariants: every change
// is an operation that the guards let pass; every answer is fleet's, errors too; nothing waits for a unit.
// See docs/protocols/fleet-v1.md.
import * as z from "zod/mini";
import type { Intent } from "../../model/operation.ts";
import { effectiveMachines } from "../../model/machine-metadata.ts";
import type { ClusterView } from "../../registry/cluster-view.ts";
import { KeelError } from "../../base/errors.ts";
import { bodyChunks } from "../body.ts";
import type { ChangeQueue } from "../change-queue.ts";
import { withCluster } from "../context.ts";
import type { ApiContext } from "../context.ts";
import type { Bindings } from "../listener.ts";
import { fleetDone, fleetJson, fleetRefusal } from "./answer.ts";
import { FleetUnits, stateKey } from "./fleet-units.ts";
import type { FleetState, FleetUnit } from "./fleet-units.ts";
import { HeldStates } from "./held-states.ts";
import { readMetadataPatch } from "./metadata-patch.ts";
import { OptionCache } from "./option-cache.ts";
import type { FleetFile } from "./option-cache.ts";
import { pageOf } from "./page-token.ts";
import { unitChange } from "./unit-change.ts";

/** Largest body of a request: a unit file of the greatest size, escaped. */
const maxBodyBytes = 8 << 20;

/** A name that Go's decoder would take for null or leave out stands as the empty text. */
const textField = z._default(z.nullable(z.string()), "");
const unitSchema = z.object({
  name: textField,
  desiredState: textField,
  options: z._default(
    z.nullable(
      z.array(z.object({ section: textField, name: textField, value: textField })).check(z.maxLength(20_000)),
    ),
    [],
  ),
});

/** What a method of the API is given: the query, and the request's own stream for a body. */
export interface FleetCall {
  readonly query: URLSearchParams;
  readonly bindings: Bindings;
}

export class FleetApi {
  readonly #context: ApiContext;
  readonly #changes: ChangeQueue;
  readonly #files: OptionCache;
  readonly #held: HeldStates;
  #units: FleetUnits | undefined;

  constructor(context: ApiContext, changes: ChangeQueue) {
    this.#context = context;
    this.#changes = changes;
    this.#files = new OptionCache(context.options.bodies);
    this.#held = new HeldStates(context.options.clock);
  }

  listMachines({ query }: FleetCall): Promise<Response> {
    return withCluster(this.#context, async (snapshot) => {
      const all = effectiveMachines(snapshot).sort((a, b) => (a.id < b.id ? -1 : 1));
      const { items, next } = pageOf(all, query.getAll("nextPageToken"), ({ id }) => id);
      const machines = items.map(({ id, address, metadata }) => ({ id, metadata, primaryIP: address }));
      return fleetJson({ machines, nextPageToken: next });
    });
  }

  listUnits({ query }: FleetCall): Promise<Response> {
    return this.#withUnits(async (units) => {
      const { items, next } = pageOf(units.all(), query.getAll("nextPageToken"), ({ name }) => name);
      const files = await this.#load(items.map(({ record }) => record.hash));
      const shown = items.map((unit, index) =>
        unitJson(unit, units, { file: files[index], current: units.currentOf(unit) }),
      );
      return fleetJson({ units: shown, nextPageToken: next });
    });
  }

  getUnit(name: string): Promise<Response> {
    return this.#withUnits(async (units) => {
      const unit = units.find(name);
      if (unit === undefined) return fleetRefusal(404, "unit does not exist");
      const file = await this.#files.one(unit.record.hash, this.#context.signal);
      const current = this.#held.read(name, units.currentOf(unit));
      return fleetJson(unitJson(unit, units, { file, current }));
    });
  }

  listStates({ query }: FleetCall): Promise<Response> {
    return this.#withUnits(async (units) => {
      const machine = query.get("machineID") ?? "";
      const name = query.get("unitName") ?? "";
      const fits = (state: FleetState): boolean =>
        (machine === "" || state.machine === machine) && (name === "" || state.name === name);
      const isFiltered = machine !== "" || name !== "";
      const states = isFiltered ? units.states().filter(fits) : units.states();
      const { items, next } = pageOf(states, query.getAll("nextPageToken"), stateKey);
      const files = await this.#load(items.map(({ hash }) => hash));
      const shown = items.map((state, index) => stateJson(state, files[index]));
      return fleetJson({ states: shown, nextPageToken: next });
    });
  }

  /** Of a unit that is known there is always a state: fleetctl falls over a 404. */
  getState(name: string): Promise<Response> {
    return this.#withUnits(async (units) => {
      const unit = units.find(name);
      const state = unit && units.stateOf(unit);
      if (unit === undefined) return fleetRefusal(404, "unit state does not exist");
      const hash = state?.hash ?? unit.record.hash;
      const file = await this.#files.one(hash, this.#context.signal);
      if (state !== undefined) return fleetJson(stateJson(state, file));
      const machineID = units.targetOf(unit);
      return fleetJson({ name, hash: file.hash, machineID, ...notThere });
    });
  }

  async putUnit(name: string, { bindings }: FleetCall): Promise<Response> {
    const types = bindings.incoming.headersDistinct["content-type"] ?? [];
    if (types.length !== 1) return fleetRefusal(415, `expected 1 Content-Type, got ${types.length}`);
    if (types[0]?.split(";", 1)[0]?.trim() !== "application/json")
      return fleetRefusal(415, "only acceptable Content-Type is application/json");
    const read = unitSchema.safeParse(await this.#readJson(bindings));
    if (!read.success) return fleetRefusal(400, `unable to decode body: ${z.prettifyError(read.error)}`);
    const { name: bodyName, desiredState, options } = read.data;
    return this.#change(async (units, view) => {
      const unit = units.find(name);
      const file = unit && (await this.#files.one(unit.record.hash, this.#context.signal));
      const request = {
        name,
        bodyName: bodyName ?? "",
        desiredState: desiredState ?? "",
        options: (options ?? []).map((option) => ({
          section: option.section ?? "",
          name: option.name ?? "",
          value: option.value ?? "",
        })),
      };
      const change = unitChange(request, unit && file && { desired: unit.desired, hash: file.hash });
      if ("refusal" in change) return fleetRefusal(change.status, change.refusal);
      const wasLaunched = unit?.kind === "plain" && units.currentOf(unit) === "launched";
      await this.#operate(change.intent, view);
      if (change.status === 204 && wasLaunched && change.desired === "loaded") this.#held.hold(name);
      else this.#held.release(name);
      return fleetDone(change.status);
    });
  }

  deleteUnit(name: string): Promise<Response> {
    return this.#change(async (units, view) => {
      if (units.find(name) === undefined) return fleetRefusal(404, "unit does not exist");
      await this.#operate({ kind: "destroy", units: { names: [name] } }, view);
      this.#held.release(name);
      return fleetDone(204);
    });
  }

  async patchMachines({ bindings }: FleetCall): Promise<Response> {
    const patch = readMetadataPatch(await this.#readJson(bindings));
    return this.#change(async (_units, view) => {
      for (const [machine, metadata] of patch)
        await this.#operate({ kind: "set-metadata", machine, metadata }, view);
      return fleetDone(204);
    });
  }

  async #operate(intent: Intent, view: ClusterView): Promise<void> {
    const request = { intent, confirm: {}, who: "fleet’s API", via: "fleet" };
    const { operation, isIdle } = await this.#changes.apply(request, view);
    if (isIdle) return;
    const { id, summary, who, via } = operation;
    this.#context.options.log.info("operation", { id, summary, who, via });
  }

  #withUnits(answer: (units: FleetUnits) => Promise<Response>): Promise<Response> {
    return withCluster(this.#context, async (_now, view) => answer(await this.#unitsOf(view)));
  }

  async #change(make: (units: FleetUnits, view: ClusterView) => Promise<Response>): Promise<Response> {
    using _slot = this.#context.changes.take();
    return await withCluster(this.#context, async (_now, view) => make(await this.#unitsOf(view), view));
  }

  async #unitsOf(view: ClusterView): Promise<FleetUnits> {
    const { snapshot } = view;
    if (this.#units?.snapshot === snapshot) return this.#units;
    const { reader } = this.#context;
    await reader.loadPlacements(snapshot);
    if (this.#units?.snapshot !== snapshot) this.#units = new FleetUnits(snapshot, reader.placements);
    return this.#units;
  }

  #load(hashes: readonly string[]): Promise<FleetFile[]> {
    return this.#files.load(hashes, this.#context.signal);
  }

  /** KEEL-104 for what is no JSON, KEEL-605 for what is too large. */
  async #readJson({ incoming }: Bindings): Promise<unknown> {
    const chunks: Buffer[] = [];
    for await (const chunk of bodyChunks(incoming, this.#context.options.clock, maxBodyBytes))
      chunks.push(chunk);
    try {
      return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
    } catch (cause) {
      const reason = `unable to decode body: ${(cause as Error).message}`;
      throw new KeelError("KEEL-104", reason, { cause });
    }
  }
}

const notThere = {
  systemdLoadState: "not-found",
  systemdActiveState: "inactive",
  systemdSubState: "dead",
} as const;

function unitJson(
  unit: FleetUnit,
  units: FleetUnits,
  { file, current }: { readonly file: FleetFile | undefined; readonly current: string },
): Readonly<Record<string, unknown>> {
  const machineID = units.targetOf(unit);
  return {
    currentState: current,
    desiredState: unit.desired,
    ...(machineID === undefined ? {} : { machineID }),
    name: unit.name,
    options: file?.options ?? [],
  };
}

const stateJson = (
  { name, machine, load, active, sub }: FleetState,
  file: FleetFile | undefined,
): Readonly<Record<string, string>> => ({
  hash: file?.hash ?? "",
  machineID: machine,
  name,
  systemdActiveState: active,
  systemdLoadState: load,
  systemdSubState: sub,
});
