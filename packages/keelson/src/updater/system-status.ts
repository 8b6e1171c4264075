// What a machine runs, what it could start, and what it would start next.
import { nextEntry } from "./boot-order.ts";
import type { BootSlots, SlotState } from "./boot-slots.ts";
import type { Records, UpdaterState } from "./records.ts";
import type { BootEntry, SlotName } from "../model/os-image.ts";

export interface FailedBefore {
  readonly version: string;
  readonly reason: string;
  /** Seconds since 1970. */
  readonly at?: number;
}

export interface StatusParts {
  readonly slots: BootSlots;
  readonly records: Records;
  readonly variant: () => Promise<string>;
  readonly failed: () => Promise<readonly FailedBefore[]>;
  /** Whether an update or a rollback is under way. */
  readonly busy: () => Promise<boolean>;
}

export interface SystemStatus {
  readonly running: {
    readonly version: string;
    readonly variant: string;
    readonly slot: SlotName;
    /** Set while the boot was not blessed yet. */
    readonly trial?: { readonly left: number; readonly done: number };
  };
  readonly other: {
    readonly slot: SlotName;
    /** Undefined for a slot that holds nothing that starts. */
    readonly version?: string;
    readonly tries?: NonNullable<BootEntry["tries"]>;
  };
  /** What the next start takes first. */
  readonly next: { readonly version: string; readonly because: "runs" | "update" | "rollback" | "menu" };
  readonly failed: readonly FailedBefore[];
  /** An update that runs now, or that broke off and can be gone on with. */
  readonly update?: NonNullable<UpdaterState["current"]> & { readonly state: "runs" | "interrupted" };
}

/** Throws KEEL-801 on a machine without an image, and KEEL-802 when its disk cannot be read. */
export async function readSystemStatus(parts: StatusParts): Promise<SystemStatus> {
  const { slots, records } = parts;
  const [{ version }, states, entries, state] = [
    await slots.running(),
    await slots.slots(),
    await slots.entries(),
    await records.state(),
  ];
  const passive = states.find((slot) => !slot.active);
  const own = entries.find((entry) => entry.version === version);
  const there = entries.find((entry) => entry.slot === passive?.name && entry.version !== version);
  const next = nextEntry(entries)?.version ?? version;
  const { current } = state;
  const trial = own?.tries !== undefined && own.tries.left + own.tries.done > 0 ? own.tries : undefined;
  return {
    running: {
      version,
      variant: await parts.variant(),
      slot: activeName(states),
      ...(trial === undefined || next !== version ? {} : { trial }),
    },
    other: {
      slot: passive?.name ?? "b",
      ...(there === undefined ? {} : { version: there.version }),
      ...(there?.tries === undefined ? {} : { tries: there.tries }),
    },
    next: { version: next, because: because(next, version, state) },
    failed: await parts.failed(),
    ...(current === undefined
      ? {}
      : {
          update: { ...current, state: (await parts.busy()) ? ("runs" as const) : ("interrupted" as const) },
        }),
  };
}

function activeName(states: readonly SlotState[]): SlotName {
  return states.find((slot) => slot.active)?.name ?? "a";
}

function because(next: string, running: string, { waiting }: UpdaterState): SystemStatus["next"]["because"] {
  if (next === running) return "runs";
  return waiting?.version === next ? waiting.kind : "menu";
}
