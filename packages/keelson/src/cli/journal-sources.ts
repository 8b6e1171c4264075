// Where the entries of units come from: a journal for each machine that they are on, and, while they are followed,
// for each machine that they come to. Invariant: of one instance on one machine no entry is given out twice.
import { SystemdError, followJournal, readJournal } from "@keelson/systemd";
import type { JournalEntry, JournalQuery } from "@keelson/systemd";
import { KeelError } from "../base/errors.ts";
import type { MachineView } from "../api/wire/machine.ts";
import type { SnapshotView } from "../api/wire/snapshot.ts";
import type { DaemonClient } from "./daemon/client.ts";
import type { Invocation } from "./invocation.ts";
import { placedInstances, serviceOf, sshSpawner } from "./machine-access.ts";

/** An entry with where it comes from. */
export interface PlacedEntry extends JournalEntry {
  readonly machine: string;
  /** The instance, as Keelson calls it. */
  readonly instance: string;
}

/** The instances of one machine, by the service that systemd runs for them. */
interface Source {
  readonly machine: MachineView;
  readonly services: Map<string, string>;
}

/** How journalctl is called on machines. */
export interface Reach {
  readonly port?: number | undefined;
  readonly sudo?: boolean;
}

/** How often it is looked where the units are, while they are followed. */
const lookMs = 1000;

export class JournalSources {
  readonly #keel: Invocation;
  readonly #client: DaemonClient;
  readonly #words: readonly string[];
  readonly #query: JournalQuery;
  readonly #reach: Reach;
  /** Instances whose entries are being read, by machine: its end, and their names. */
  readonly #open = new Map<string, { readonly end: AbortController; readonly instances: Set<string> }>();
  /** When the last entry of an instance on a machine was written. */
  readonly #seen = new Map<string, number>();
  #width = 0;

  constructor(
    keel: Invocation,
    client: DaemonClient,
    asked: { words: readonly string[]; query: JournalQuery; reach?: Reach },
  ) {
    this.#keel = keel;
    this.#client = client;
    this.#words = asked.words;
    this.#query = asked.query;
    this.#reach = asked.reach ?? {};
  }

  /** Room for `m2 web@1.container`, the longest of them so far. */
  get width(): number {
    return this.#width;
  }

  /** What is there now, a stream for each machine. Throws KEEL-501, KEEL-503. */
  async now(): Promise<readonly AsyncGenerator<PlacedEntry>[]> {
    const sources = await this.#take(await this.#client.snapshot());
    return sources.map((source) => this.#entries(source, this.#query, "read"));
  }

  /**
   * Streams that go on: those of the machines that the units are on, then one for each machine that a unit comes
   * to. Ends when the command is interrupted. Throws KEEL-501, KEEL-503 for what is nowhere at the beginning.
   */
  async *followed(): AsyncGenerator<AsyncGenerator<PlacedEntry>> {
    const { clock, signal, progress } = this.#keel;
    const startUsec = clock.wall() * 1000;
    for (const source of await this.#take(await this.#client.snapshot()))
      yield this.#entries(source, this.#query, "follow");
    for (;;) {
      await clock.sleep(lookMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      for (const source of await this.#news()) {
        const names = [...source.services.values()];
        progress.note(`now also ${names.join(", ")} on ${source.machine.name}`);
        const seen = names.map((name) => this.#seen.get(keyOf(source.machine, name)) ?? startUsec);
        const { lines: _, ...rest } = this.#query;
        yield this.#entries(source, { ...rest, sinceUsec: Math.round(Math.min(...seen)) }, "follow");
      }
    }
  }

  /** Sources that were not there before; none while the daemon does not answer or the units are nowhere. */
  async #news(): Promise<readonly Source[]> {
    try {
      const snapshot = await this.#client.snapshot();
      const machines = snapshot.machines.filter(({ state }) => state === "up");
      this.#dropLost(machines);
      return await this.#take({ ...snapshot, machines });
    } catch (error) {
      if (error instanceof KeelError) return [];
      throw error;
    }
  }

  /** A machine that is lost may come back: its journal is then opened anew, behind what was seen of it. */
  #dropLost(up: readonly MachineView[]): void {
    for (const [id, { end }] of this.#open) {
      if (up.some((machine) => machine.id === id)) continue;
      this.#open.delete(id);
      end.abort();
    }
  }

  /** The instances that nobody reads yet, by machine. */
  async #take(snapshot: SnapshotView): Promise<readonly Source[]> {
    const sources = new Map<string, Source>();
    for (const { instance, machine } of placedInstances(this.#words, snapshot)) {
      const open = this.#open.get(machine.id) ?? { end: new AbortController(), instances: new Set() };
      if (open.instances.has(instance.name)) continue;
      const service = await serviceOf(instance, this.#client);
      open.instances.add(instance.name);
      this.#width = Math.max(this.#width, machine.name.length + instance.name.length + 1);
      this.#open.set(machine.id, open);
      const source = sources.get(machine.id) ?? { machine, services: new Map<string, string>() };
      source.services.set(service, instance.name);
      sources.set(machine.id, source);
    }
    return [...sources.values()];
  }

  /** The entries of one machine. One that cannot be read is told of, and the others go on. */
  async *#entries(
    { machine, services }: Source,
    query: JournalQuery,
    mode: "read" | "follow",
  ): AsyncGenerator<PlacedEntry> {
    const spawn = await sshSpawner(this.#keel, machine, this.#reach);
    const wanted = { ...query, units: [...services.keys()] };
    const open = this.#open.get(machine.id);
    const signal = open ? AbortSignal.any([this.#keel.signal, open.end.signal]) : this.#keel.signal;
    const read = mode === "follow" ? followJournal : readJournal;
    try {
      for await (const entry of read(wanted, { spawn, signal })) {
        const instance = services.get(entry.unit ?? "") ?? entry.unit ?? "";
        const key = keyOf(machine, instance);
        if (query.sinceUsec !== this.#query.sinceUsec && entry.realtimeUsec <= (this.#seen.get(key) ?? 0))
          continue;
        this.#seen.set(key, entry.realtimeUsec);
        yield { ...entry, machine: machine.name, instance };
      }
    } catch (error) {
      if (!(error instanceof SystemdError) || error.code !== "journal-read") throw error;
      this.#keel.progress.note(`warning: the journal of ${machine.name} cannot be read: ${error.reason}`);
      for (const name of services.values()) open?.instances.delete(name);
    }
  }
}

function keyOf(machine: MachineView, instance: string): string {
  return `${machine.id}/${instance}`;
}
