// The least that can decide: what is known of every machine in a map, and an entry for every check.
import { noUpdate } from "@keelson/omaha";
import type { Asked, Decided, Decider } from "../../packages/keelson/src/update-server/decision.ts";
import type { Fold } from "../../packages/keelson/src/update-server/log/fold.ts";

type Seen = readonly [machine: string, version: string, nowMs: number, address: string];

const decided = (entries: readonly string[]): Decided => ({ update: noUpdate, entries });

export class Fleet implements Decider, Fold {
  readonly kind = 1;
  readonly #machines = new Map<string, Seen>();

  get size(): number {
    return this.#machines.size;
  }

  decide({ app, client }: Asked, nowMs: number): Decided {
    const seen: Seen = [app.machineId ?? "", app.version ?? "", nowMs, client.address];
    this.#machines.set(seen[0], seen);
    return decided([JSON.stringify(seen)]);
  }

  restore(part: string): void {
    for (const seen of JSON.parse(part) as Seen[]) this.#machines.set(seen[0], seen);
  }

  apply(entry: string): void {
    const seen = JSON.parse(entry) as Seen;
    this.#machines.set(seen[0], seen);
  }

  snapshot(): Iterable<string> {
    const machines = [...this.#machines.values()];
    return Array.from({ length: Math.ceil(machines.length / 1000) }, (_, part) =>
      JSON.stringify(machines.slice(part * 1000, part * 1000 + 1000)),
    );
  }
}
