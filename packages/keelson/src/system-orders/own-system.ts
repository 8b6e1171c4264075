// What carrying out a system order needs of the machine: its updater, and what systemd does.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../base/errors.ts";
import { systemClock } from "../base/clock.ts";
import { statePaths } from "../model/os-image.ts";
import type { SystemOrder } from "../model/system-update.ts";
import { compareVersions } from "../releases/words.ts";
import { recordBaseline } from "../updater/gate/this-machine.ts";
import type { HistoryEvent } from "../updater/records.ts";
import { rollBack } from "../updater/roll-back.ts";
import type { SystemStatus } from "../updater/system-status.ts";
import { readSystemStatus } from "../updater/system-status.ts";
import { openSource, openThisMachine, restartMachine, unitsAtWork } from "../updater/this-machine.ts";
import { Updater } from "../updater/updater.ts";

export interface Bytes {
  readonly done: number;
  readonly total: number;
}

export interface OwnSystem {
  status(): Promise<SystemStatus>;
  /** What was done here, the oldest first. */
  history(): Promise<readonly HistoryEvent[]>;
  /** Another text whenever the status or the history may be another. Costs little. */
  mark(): Promise<string>;
  /** Makes the order's version what starts next. Throws why it cannot. */
  stage(
    order: SystemOrder,
    on: { readonly signal: AbortSignal; readonly progress: (bytes: Bytes) => void },
  ): Promise<void>;
  /** Takes back what waits for its restart, if that is the order's version. */
  cancel(order: SystemOrder): Promise<void>;
  /** Makes the other slot's version what starts next, or takes back an update that waits. Throws why it cannot. */
  goBack(order: SystemOrder): Promise<void>;
  /** Units of the cluster that a restart would stop. */
  unitsAtWork(): Promise<readonly string[]>;
  restart(): Promise<void>;
}

/** Of the machine that this process runs on. Throws KEEL-801 on one that has no slots. */
export async function openOwnSystem(): Promise<OwnSystem> {
  const machine = await openThisMachine();
  const marks = [
    join(statePaths.updater, "state.json"),
    join(statePaths.updater, "failed"),
    join(statePaths.updater, "history.jsonl"),
    "/run/keelson/blessed",
  ];
  return {
    status: () => readSystemStatus(machine),
    history: () => machine.records.history(),
    async mark() {
      const times = await Promise.all(
        marks.map((path) =>
          stat(path).then(
            ({ mtimeMs }) => mtimeMs,
            () => 0,
          ),
        ),
      );
      return times.join(" ");
    },
    async stage({ to, source: place = "", again = false }, { signal, progress }) {
      const { source } = await openSource(place, { cwd: "/", clock: systemClock });
      const { version } = await machine.slots.running();
      const wish = { to, allowDowngrade: compareVersions(to, version) < 0, force: again, signal };
      const onProgress = ({ phase, done, total }: Bytes & { readonly phase: string }): void => {
        if (phase === "root" || phase === "delta") progress({ done, total });
      };
      await new Updater(machine).update(source, { ...wish, onProgress }).catch((error: unknown) => {
        // It has it already, from an order before or by hand.
        const reason = error instanceof KeelError && error.code === "KEEL-804" ? error.details?.reason : "";
        if (reason !== "waits" && reason !== "runs") throw error;
      });
    },
    async cancel({ to }) {
      const { running, next } = await readSystemStatus(machine);
      if (next.version === to && running.version !== to) await rollBack(machine, { force: true });
    },
    async goBack({ again = false }) {
      // One that waits for its restart already is what is wanted; an update that does is taken back.
      await rollBack(machine, { force: again }).catch((error: unknown) => {
        if (!(error instanceof KeelError) || error.details?.["reason"] !== "waits") throw error;
      });
    },
    unitsAtWork: () => unitsAtWork(),
    async restart() {
      const { running, next } = await readSystemStatus(machine);
      await recordBaseline();
      const at = systemClock.wall();
      await machine.records.append({ at, kind: "restart", version: next.version, from: running.version });
      await restartMachine();
    },
  };
}
