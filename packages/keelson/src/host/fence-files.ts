// The orders to the fence (os/root/usr/lib/keelson/fence), each a small file renamed into place.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { readIfThere, writeAtomically } from "./atomic-file.ts";

export class FenceFiles {
  readonly #folder: string;
  #units: string | undefined;

  constructor(runtimeFolder: string) {
    this.#folder = join(runtimeFolder, "fence");
  }

  async write(deadline: number | undefined, services: readonly string[]): Promise<void> {
    const units = services.map((service) => `${service}\n`).join("");
    if (this.#units === undefined) await mkdir(this.#folder, { recursive: true });
    if (units !== this.#units) await writeAtomically(join(this.#folder, "units"), units);
    this.#units = units;
    const text = deadline === undefined ? "none" : deadline.toFixed(2);
    await writeAtomically(join(this.#folder, "deadline"), `${text}\n`);
  }

  /** Seconds of /proc/uptime; undefined when nothing is to be fenced. */
  deadline(): Promise<number | undefined> {
    return this.#seconds("deadline");
  }

  /** When the fence last began to stop units, in seconds of /proc/uptime; undefined when it never has. */
  lastActed(): Promise<number | undefined> {
    return this.#seconds("fenced");
  }

  async #seconds(file: string): Promise<number | undefined> {
    const seconds = Number.parseFloat((await readIfThere(join(this.#folder, file))) ?? "");
    return Number.isFinite(seconds) ? seconds : undefined;
  }
}
