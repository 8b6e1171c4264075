import type { Clock } from "../base/clock.ts";
import type { Phase, Records, UpdaterState } from "./records.ts";

/** How often the record on the disk is brought up to date, in milliseconds. */
const intervalMs = 2000;

/** How far an update is, for `keel os status` and for whoever looks after a power cut. */
export class ProgressRecord {
  readonly #records: Records;
  readonly #clock: Clock;
  readonly #facts: { readonly version: string; readonly source: string };
  readonly #startedAt: number;
  #written = Number.NEGATIVE_INFINITY;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    records: Records,
    clock: Clock,
    { version, source }: { readonly version: string; readonly source: string },
  ) {
    this.#records = records;
    this.#clock = clock;
    this.#facts = { version, source };
    this.#startedAt = clock.wall();
  }

  /** Rejects when the record cannot be written: a machine without room for it has none for an update. */
  begin(): Promise<void> {
    return this.#save("check", 0, 1);
  }

  /** Never rejects; not every call is written. */
  at(phase: Phase, done: number, total: number): void {
    const now = this.#clock.now();
    if (now - this.#written < intervalMs) return;
    this.#written = now;
    this.#writing = this.#writing.then(() => this.#save(phase, done, total)).catch(() => {});
  }

  /** What was begun is written. */
  settled(): Promise<void> {
    return this.#writing;
  }

  async end(waiting: NonNullable<UpdaterState["waiting"]>): Promise<void> {
    await this.#writing;
    await this.#records.setState({ schema: 1, waiting });
  }

  async #save(phase: Phase, done: number, total: number): Promise<void> {
    const { waiting } = await this.#records.state();
    const times = { startedAt: this.#startedAt, updatedAt: this.#clock.wall() };
    const current = { ...this.#facts, phase, done, total, ...times };
    await this.#records.setState({ schema: 1, current, ...(waiting === undefined ? {} : { waiting }) });
  }
}
