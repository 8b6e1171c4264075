// The updater of the machine that this process runs on, put together.
import { stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Clock } from "../base/clock.ts";
import { systemClock } from "../base/clock.ts";
import { KeelError, describeError } from "../base/errors.ts";
import { systemRandom } from "../base/random.ts";
import { readIfThere } from "../host/atomic-file.ts";
import { readOsFacts } from "../host/os-facts.ts";
import { runProgram } from "../host/run-program.ts";
import { bootMarks, kernelWords } from "../model/os-image.ts";
import { DiskSlots } from "./disk-slots/disk-slots.ts";
import { kernelWord } from "./disk-slots/kernel-image.ts";
import { firmwareKeys } from "./firmware-keys.ts";
import { thisDisk } from "./this-disk.ts";
import { FailedVersions } from "./failed-versions.ts";
import { loadTrust, rememberRunning, trustFiles } from "./machine-trust.ts";
import { Records } from "./records.ts";
import { FolderSource } from "./sources/folder-source.ts";
import { HttpSource } from "./sources/http-source.ts";
import { PartialFiles } from "./sources/partial-file.ts";
import type { ReleaseSource } from "./sources/release-source.ts";
import type { FailedBefore } from "./system-status.ts";
import { takeUpdateLock } from "./update-lock.ts";
import type { UpdaterParts } from "./updater.ts";

export interface ThisMachine extends UpdaterParts {
  readonly failed: () => Promise<readonly FailedBefore[]>;
  readonly busy: () => Promise<boolean>;
  readonly rememberRunning: () => Promise<void>;
}

/** Throws KEEL-812 unless root asks, and KEEL-801 on a machine without an image or without its state. */
export async function openThisMachine(): Promise<ThisMachine> {
  const line = (await readIfThere("/proc/cmdline")) ?? "";
  const variant = (await readOsFacts())?.variant ?? kernelWord(line, kernelWords.variant);
  if (variant === undefined)
    throw new KeelError("KEEL-801", "this machine was not started from an image of Keelson’s");
  if (process.getuid?.() !== 0) throw new KeelError("KEEL-812", "only root may look after the system");
  const rescue = await readIfThere(bootMarks.rescue);
  if (rescue !== undefined)
    throw new KeelError("KEEL-801", `the machine is without its state: ${rescue.trim().slice(0, 300)}`, {
      hint: "`keel os rescue` says what to do",
    });
  const records = new Records();
  const slots = new DiskSlots(await thisDisk());
  return {
    slots,
    rememberRunning: async () => {
      const { version } = await slots.running();
      const now = Math.floor(systemClock.wall() / 1000);
      await rememberRunning(await loadTrust({ version, variant }, trustFiles, now), trustFiles);
    },
    records,
    partials: new PartialFiles(join(records.folder, "download")),
    trustFiles,
    variant: () => Promise.resolve(variant),
    failed: failedVersions,
    firmwareKeys: () => firmwareKeys(),
    lock: () => takeUpdateLock(),
    busy: isBusy,
    clock: systemClock,
    random: systemRandom,
  };
}

/** A folder, a manifest in one, or a URL of http or https. Throws KEEL-104 and KEEL-806. */
export async function openSource(
  place: string,
  { cwd, clock }: { readonly cwd: string; readonly clock: Clock },
): Promise<{ readonly source: ReleaseSource; readonly to?: string }> {
  const { folder, to } = splitManifest(place);
  const more = to === undefined ? {} : { to };
  if (/^https?:/i.test(place)) return { source: new HttpSource(folder, { clock }), ...more };
  const path = resolve(cwd, folder);
  const found = await stat(path).catch((error: unknown) => {
    throw new KeelError("KEEL-806", `${path} cannot be read: ${describeError(error)}`, { cause: error });
  });
  if (!found.isDirectory())
    throw new KeelError("KEEL-806", `${path} is neither a folder nor a release’s manifest`);
  return { source: new FolderSource(path), ...more };
}

function splitManifest(place: string): { readonly folder: string; readonly to?: string } {
  const to = /^keelson_(\d+\.\d+\.\d+)_[a-z]+_[a-z0-9]+\.manifest\.json$/.exec(basename(place))?.[1];
  return to === undefined ? { folder: place } : { folder: dirname(place), to };
}

/** Units of the cluster that a restart of this machine would stop. */
export async function unitsAtWork(path = "/run/keelson/fence/units"): Promise<readonly string[]> {
  const text = (await readIfThere(path)) ?? "";
  return text.split("\n").filter((line) => line !== "");
}

/** Asks systemd for a restart. Throws KEEL-900 when it does not take the order. */
export async function restartMachine(): Promise<void> {
  const result = await runProgram(["systemctl", "start", "--no-block", "reboot.target"]);
  if (result.status !== 0)
    throw new KeelError("KEEL-810", `systemd does not restart: ${result.stderr.trim()}`);
}

async function failedVersions(): Promise<readonly FailedBefore[]> {
  const failed = await new FailedVersions().list();
  return failed.map(({ version, reasons, at }) => ({ version, reason: reasons.join("; "), at }));
}

async function isBusy(): Promise<boolean> {
  try {
    await using _lock = await takeUpdateLock();
    return false;
  } catch (error) {
    if (error instanceof KeelError && error.code === "KEEL-803") return true;
    throw error;
  }
}
