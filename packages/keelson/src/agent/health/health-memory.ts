// What must be known of units' health after the daemon's restart: failures, and what checks have found. One small
// file under /run, written when something changes, which is seldom.
import { describeError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Host } from "../../host/host.ts";
import { readRememberedHealth, type RememberedHealth } from "../../model/remembered-health.ts";

const fileName = "health.json";

export class HealthMemory {
  readonly #host: Host;
  readonly #log: Log;
  readonly #units: Map<string, RememberedHealth>;
  #isSaving = false;
  #isDirty = false;

  private constructor(host: Host, log: Log, units: Map<string, RememberedHealth>) {
    this.#host = host;
    this.#log = log;
    this.#units = units;
  }

  /** A file that cannot be read is as good as none: what it said is found out again. */
  static async open(host: Host, log: Log): Promise<HealthMemory> {
    const text = await host.readState(fileName).catch(() => undefined);
    const units = text === undefined ? new Map<string, RememberedHealth>() : readRememberedHealth(text);
    if (units === undefined) log.warn("what was known of units’ health cannot be read", { file: fileName });
    return new HealthMemory(host, log, units ?? new Map());
  }

  get(name: string): RememberedHealth | undefined {
    return this.#units.get(name);
  }

  set(name: string, health: RememberedHealth): void {
    this.#units.set(name, health);
    this.#save();
  }

  delete(name: string): void {
    if (this.#units.delete(name)) this.#save();
  }

  /** Forgets all other units. */
  retain(names: ReadonlySet<string>): void {
    for (const name of this.#units.keys()) if (!names.has(name)) this.delete(name);
  }

  #save(): void {
    this.#isDirty = true;
    if (this.#isSaving) return;
    this.#isSaving = true;
    void this.#write();
  }

  async #write(): Promise<void> {
    // What changes at the same moment is written together.
    await Promise.resolve();
    while (this.#isDirty) {
      this.#isDirty = false;
      try {
        await this.#host.writeState(fileName, JSON.stringify(Object.fromEntries(this.#units)));
      } catch (error) {
        this.#log.warn("what is known of units’ health cannot be written", { error: describeError(error) });
      }
    }
    this.#isSaving = false;
  }
}
