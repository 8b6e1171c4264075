// Going back by hand: the running version steps back, so that the other slot's is chosen; or, when something else
// waits for its restart, that is taken back.
import { KeelError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import { whyRefused } from "../secure-boot/verify.ts";
import type { KeyRing } from "../secure-boot/verify.ts";
import { nextEntry } from "./boot-order.ts";
import type { BootSlots, SlotEntry } from "./boot-slots.ts";
import type { HistoryEvent, Records, UpdaterState } from "./records.ts";

export interface RollbackParts {
  readonly slots: BootSlots;
  readonly records: Records;
  readonly failed: () => Promise<readonly { readonly version: string; readonly reason: string }[]>;
  readonly lock: () => Promise<AsyncDisposable>;
  readonly clock: Clock;
  /** The keys of a machine that starts only what is signed by one of them. */
  readonly firmwareKeys?: () => Promise<KeyRing | undefined>;
  /** Keeps that the running version was good, before it is left. */
  readonly rememberRunning?: () => Promise<void>;
}

export interface RolledBack {
  /** `cancelled`: an update had not started yet, and the running version goes on. */
  readonly kind: "rollback" | "cancelled";
  readonly from: string;
  /** What starts next. */
  readonly to: string;
}

/**
 * Throws KEEL-811 when the other slot holds nothing that starts, KEEL-804 when that failed before or already waits
 * for its restart, KEEL-343 when the firmware would not start it.
 */
export async function rollBack(
  parts: RollbackParts,
  { force }: { readonly force: boolean },
): Promise<RolledBack> {
  await using _lock = await parts.lock();
  const { slots, records, clock } = parts;
  const { version: running } = await slots.running();
  const entries = await slots.entries();
  const other = await otherEntry(slots, entries, running);
  const next = nextEntry(entries);
  const { waiting } = await records.state();
  const otherIsNext = next?.version === other.version;
  if (otherIsNext && waiting?.kind === "rollback" && waiting.version === other.version)
    throw new KeelError("KEEL-804", `version ${other.version} starts next already`, {
      details: { reason: "waits", forcible: false, version: other.version },
      hint: "restart the machine: `systemctl reboot`",
    });
  const since = clock.wall();
  if (otherIsNext) {
    // First the running one comes forward, so that at every moment something good is in front.
    if (entries.some((entry) => entry.version === running && entry.tries?.left === 0))
      await slots.bless(running);
    await slots.condemn(other.version);
    await told(records, { at: since, kind: "cancelled", version: other.version, from: running }, {});
    return { kind: "cancelled", from: other.version, to: running };
  }
  const before = (await parts.failed()).find(({ version }) => version === other.version);
  if (before !== undefined && !force)
    throw new KeelError("KEEL-804", `version ${other.version} failed on this machine: ${before.reason}`, {
      details: { reason: "failed", forcible: true, version: other.version },
      hint: "--force starts it nevertheless; it has three tries again",
    });
  await refuseUnsigned(parts, other.version);
  const own = entries.find((entry) => entry.version === running);
  if (own !== undefined && own.tries === undefined) await parts.rememberRunning?.().catch(() => {});
  if (other.tries?.left === 0) await slots.retry(other.version);
  await slots.condemn(running);
  const event = { at: since, kind: "rollback", version: other.version, from: running } as const;
  await told(records, event, { waiting: { kind: "rollback", version: other.version, since } });
  return { kind: "rollback", from: running, to: other.version };
}

/** Going back must work on a full disk, too: the boot menu is changed by now, the records only tell of it. */
async function told(
  records: Records,
  event: HistoryEvent,
  state: Omit<UpdaterState, "schema">,
): Promise<void> {
  await records.append(event).catch(() => {});
  await records.setState({ schema: 1, ...state }).catch(() => {});
}

async function refuseUnsigned({ slots, firmwareKeys }: RollbackParts, version: string): Promise<void> {
  const keys = await firmwareKeys?.();
  const kernel = keys === undefined ? undefined : await slots.kernel(version);
  if (keys === undefined || kernel === undefined) return;
  const why = whyRefused(Buffer.from(kernel), keys);
  if (why === undefined) return;
  throw new KeelError("KEEL-343", `version ${version} would not start on this machine: ${why}`, {
    hint: "Secure Boot is on here, and was not when that version was installed",
  });
}

async function otherEntry(
  slots: BootSlots,
  entries: readonly SlotEntry[],
  running: string,
): Promise<SlotEntry> {
  const passive = (await slots.slots()).find((slot) => !slot.active);
  const found = entries.find((entry) => entry.slot === passive?.name && entry.version !== running);
  if (passive !== undefined && found !== undefined) return found;
  const why = passive?.uuid === undefined ? "is empty" : "holds no version that the boot menu could start";
  throw new KeelError("KEEL-811", `slot ${passive?.name ?? "b"} ${why}`);
}
