// Takes backups by a schedule, and removes what the rule of retention no longer keeps. daemons/ runs it where the
// configuration says so. Invariants: one backup at a time; a failure is tried again soon, is seen in metrics and
// beside the backups, and removes no backup that is proven.
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { describeError, KeelError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { BackupSource } from "../model/backup.ts";
import { applyRetention, backupName, listBackups, removeFailed } from "./backup-directory.ts";
import type { RetentionRule } from "./retention.ts";
import { nextDue, parseSchedule } from "./schedule.ts";
import { writeStatus } from "./status.ts";
import { takeBackup } from "./take-backup.ts";

export interface BackupLoopOptions {
  readonly source: BackupSource;
  readonly cluster: string;
  readonly directory: string;
  readonly schedule: string;
  readonly keep: RetentionRule;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

const retryMs = 5 * 60_000;
/** The calendar may be set while the loop sleeps. */
const longestSleepMs = 60_000;

/** Runs until the signal fires; rejects with its reason. */
export async function runBackups(options: BackupLoopOptions, signal: AbortSignal): Promise<never> {
  const { clock, directory, cluster, log, metrics } = options;
  const schedule = parseSchedule(options.schedule);
  const failures = metrics.counter(
    "keelson_backup_failures_total",
    "Backups that failed or were not proven.",
  );
  const proven = metrics.gauge(
    "keelson_backup_last_proven_seconds",
    "Unix time of the newest proven backup.",
  );
  const bytes = metrics.gauge("keelson_backup_last_proven_bytes", "Size of the newest proven backup.");
  let retryAt = 0;
  for (;;) {
    const newest = await newestProven(options);
    if (newest !== undefined) {
      proven.set(Math.floor(newest.takenAt / 1000));
      bytes.set(newest.bytes);
    }
    const due = Math.max(nextDue(schedule, newest?.takenAt), retryAt);
    if (due > clock.wall()) {
      await clock.sleep(Math.min(due - clock.wall(), longestSleepMs), signal);
      continue;
    }
    try {
      await backUp(options, signal);
      retryAt = 0;
    } catch (error) {
      signal.throwIfAborted();
      failures.add();
      retryAt = clock.wall() + retryMs;
      log.error("a backup failed", { error: describeError(error), again: new Date(retryAt).toISOString() });
      const failure = { at: clock.wall(), cluster, why: describeError(error) };
      const told = writeStatus(directory, { failure }).then(() => removeFailed(directory, cluster));
      await told.catch((cause: unknown) => {
        log.error("the failure cannot be written beside the backups", { error: describeError(cause) });
      });
    }
  }
}

async function backUp(options: BackupLoopOptions, signal: AbortSignal): Promise<void> {
  const { source, cluster, directory, clock, log, keep } = options;
  await makeDirectory(directory);
  const file = join(directory, backupName(cluster, clock.wall()));
  const manifest = await takeBackup({ source, file, cluster, now: () => clock.wall(), signal });
  await writeStatus(directory, { failure: null });
  const { drop } = await applyRetention(directory, { cluster, rule: keep });
  const { revision, hash } = manifest.source ?? {};
  log.info("a backup was taken and proven", {
    file,
    bytes: manifest.bytes,
    revision,
    hash,
    removed: drop.length,
  });
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    const made = await mkdir(directory, { recursive: true, mode: 0o700 });
    if (made !== undefined) await chmod(directory, 0o700);
  } catch (cause) {
    throw new KeelError("KEEL-703", `${directory} cannot be made: ${describeError(cause)}`, { cause });
  }
}

async function newestProven({ directory, cluster }: BackupLoopOptions) {
  const found = await listBackups(directory).catch(() => []);
  return found.find(({ manifest, state }) => manifest?.cluster === cluster && state === "proven");
}
