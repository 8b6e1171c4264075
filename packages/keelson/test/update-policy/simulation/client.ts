// One machine with update_engine on it: it asks, takes what it is given, restarts, may fall back, may vanish.
import type { Random } from "../../../src/base/random.ts";
import type { UpdateRequest } from "../../../src/update-policy/request.ts";
import { events, machineId, request } from "../fleet-under-test.ts";

export type Act = { readonly ask: true } | { readonly event: keyof typeof events };

export interface Nature {
  readonly verified: boolean;
  /** It never brings the new version up. */
  readonly broken: boolean;
  readonly excluded: boolean;
}

export class Client {
  readonly number: number;
  readonly nature: Nature;
  version = "1.0.0";
  boot = 1;
  /** What it was given, and how far it is: 0 is granted, 3 is installed. */
  taking: { version: string; step: number } | undefined;
  fellBack = false;
  /** Until it has started again; Infinity when it is gone. */
  awayUntil = 0;

  constructor(number: number, nature: Nature) {
    this.number = number;
    this.nature = nature;
  }

  get id(): string {
    return machineId(this.number);
  }

  request(more: Partial<UpdateRequest> = {}): UpdateRequest {
    const { verified, excluded } = this.nature;
    return request(this.number, {
      version: this.version,
      verified,
      boot: `boot-${this.boot}`,
      oem: excluded ? "rogue" : "plain",
      ...more,
    });
  }

  given(version: string): void {
    this.taking = { version, step: 0 };
  }

  /** The next thing that it does and says; undefined when it only does something. */
  step(random: Random, badVersions: ReadonlySet<string>): Act | undefined {
    const { taking } = this;
    if (taking === undefined) return { ask: true };
    if (taking.step < 3) {
      if (random.next() < 0.05) {
        this.taking = undefined;
        return { event: "hashMismatch" };
      }
      taking.step += 1;
      return { event: (["downloading", "downloaded", "installed"] as const)[taking.step - 1] ?? "installed" };
    }
    this.taking = undefined;
    this.boot += 1;
    this.fellBack = this.nature.broken || (badVersions.has(taking.version) && random.next() < 0.9);
    if (this.fellBack) return { event: "rolledBack" };
    this.version = taking.version;
    return { event: "complete" };
  }
}
