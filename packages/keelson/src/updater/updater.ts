// A machine's own updater: `keel os update` and keeld use it. It needs no cluster. Invariants: one at a time; nothing
// is written before the manifest's signatures were checked; whenever it ends, or the power goes, what runs starts
// again, or the whole new version does.
import type { Clock } from "../base/clock.ts";
import { KeelError, describeError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import type { ReleaseManifest } from "../releases/manifest.ts";
import type { KeyRing } from "../secure-boot/verify.ts";
import type { BootSlots } from "./boot-slots.ts";
import { chooseRelease } from "./choose-release.ts";
import type { About, Wish } from "./choose-release.ts";
import { learnRoots, loadTrust, rememberRunning } from "./machine-trust.ts";
import type { TrustFiles } from "./machine-trust.ts";
import { planUpdate } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { ProgressRecord } from "./progress-record.ts";
import type { Phase, Records } from "./records.ts";
import type { PartialFiles } from "./sources/partial-file.ts";
import type { ReleaseSource } from "./sources/release-source.ts";
import { writeRelease } from "./write-release.ts";
import type { Written } from "./write-release.ts";

export interface UpdaterParts {
  readonly slots: BootSlots;
  readonly records: Records;
  readonly partials: PartialFiles;
  readonly trustFiles: TrustFiles;
  /** `vm`, `metal`, `minimal`. */
  readonly variant: () => Promise<string>;
  /** Versions that did not hold here. */
  readonly failed: () => Promise<readonly { readonly version: string; readonly reason: string }[]>;
  /** The keys of a machine that starts only what is signed by one of them. */
  readonly firmwareKeys?: () => Promise<KeyRing | undefined>;
  readonly lock: () => Promise<AsyncDisposable>;
  readonly clock: Clock;
  readonly random: Random;
}

export interface UpdateOptions extends Wish {
  /** Overrides: failed before, on trial, another one waits. */
  readonly force: boolean;
  readonly signal: AbortSignal;
  readonly onProgress?: (event: ProgressEvent) => void;
  readonly onNote?: (text: string) => void;
}

export interface ProgressEvent {
  readonly version: string;
  readonly phase: Phase;
  /** Bytes of this phase. */
  readonly done: number;
  readonly total: number;
}

export interface Updated extends Written {
  readonly version: string;
  readonly from: string;
  readonly seconds: number;
}

export class Updater {
  readonly #parts: UpdaterParts;

  constructor(parts: UpdaterParts) {
    this.#parts = parts;
  }

  /**
   * Makes a release what starts next. Throws KEEL-803 while another change runs, KEEL-804 with details
   * `{ reason, forcible }` when the machine does not take the release, the refusals of releases/, and KEEL-806 to
   * KEEL-810 when it cannot be fetched or written.
   */
  async update(source: ReleaseSource, options: UpdateOptions): Promise<Updated> {
    await using _lock = await this.#parts.lock();
    const { slots, clock, records } = this.#parts;
    const started = clock.now();
    const { version: from } = await slots.running();
    const { manifest, plan } = await this.plan(source, options);
    const { version } = manifest;
    const facts = { version, from, source: source.place.slice(0, 1000) };
    await records.append({ at: clock.wall(), kind: "started", ...facts });
    const progress = new ProgressRecord(records, clock, facts);
    try {
      await progress.begin();
      const written = await this.#write(source, options, { manifest, plan, progress });
      const seconds = Math.round((clock.now() - started) / 100) / 10;
      await records.append({ at: clock.wall(), kind: "staged", ...facts, ...written, seconds });
      await progress.end({ kind: "update", version, since: clock.wall() });
      return { version, from, seconds, ...written };
    } catch (error) {
      await this.#recordFailure(error, facts, options.signal);
      throw error;
    }
  }

  /** The release that is meant, verified, and what would be done. Throws as {@link update} does. */
  async plan(
    source: ReleaseSource,
    options: UpdateOptions,
  ): Promise<{
    readonly manifest: ReleaseManifest;
    readonly plan: Extract<Plan, { readonly steps: unknown }>;
  }> {
    const { slots, failed } = this.#parts;
    const { version: running } = await slots.running();
    const entries = await slots.entries();
    const found = await this.about(source, options.signal);
    const isGood = entries.some(({ version, tries }) => version === running && tries === undefined);
    const about = isGood ? { ...found, trust: await rememberRunning(found.trust, found.files) } : found;
    const { manifest, age } = await chooseRelease(source, options, about);
    const plan = planUpdate({
      running,
      slots: await slots.slots(),
      entries,
      kernelRoom: await slots.kernelRoom(),
      failed: await failed(),
      manifest,
      age,
      force: options.force,
    });
    if ("steps" in plan) return { manifest, plan };
    const { reason, text, forcible } = plan.refusal;
    const code = reason === "slot-too-small" || reason === "esp-too-small" ? "KEEL-809" : "KEEL-804";
    throw new KeelError(code, text, {
      details: { reason, forcible, version: manifest.version },
      ...hintFor(reason, forcible),
    });
  }

  /** What this machine believes now, after it has looked for newer roots. */
  async about(source: ReleaseSource, signal: AbortSignal): Promise<About> {
    const { slots, variant, trustFiles: files, clock } = this.#parts;
    const { version } = await slots.running();
    const now = Math.floor(clock.wall() / 1000);
    const trust = await loadTrust({ version, variant: await variant() }, files, now);
    return { trust: await learnRoots(trust, source, { files, now, signal }), files, now, signal };
  }

  async #write(
    source: ReleaseSource,
    options: UpdateOptions,
    about: {
      readonly manifest: ReleaseManifest;
      readonly plan: Extract<Plan, { readonly steps: unknown }>;
      readonly progress: ProgressRecord;
    },
  ): Promise<Written> {
    const { slots, partials, clock, random, firmwareKeys } = this.#parts;
    const { manifest, plan, progress } = about;
    const keys = await firmwareKeys?.();
    const { version } = manifest;
    const written = await writeRelease({
      manifest,
      plan,
      slots,
      source,
      partials,
      clock,
      random,
      ...(keys === undefined ? {} : { firmwareKeys: keys }),
      signal: options.signal,
      note: (text) => options.onNote?.(text),
      progress: (phase, done, total) => {
        progress.at(phase, done, total);
        options.onProgress?.({ version, phase, done, total });
      },
    });
    await progress.settled();
    return written;
  }

  /** The failure itself matters more than a record of it that cannot be written either. */
  async #recordFailure(
    error: unknown,
    facts: { readonly version: string; readonly from: string; readonly source: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { records, clock } = this.#parts;
    const code = error instanceof KeelError ? { code: error.code } : {};
    const kind = signal.aborted ? "interrupted" : "failed";
    const event = { at: clock.wall(), kind, ...facts, ...code, why: describeError(error) } as const;
    await records.append(event).catch(() => {});
    if (kind === "interrupted") return;
    const { current: _, ...rest } = await records.state();
    await records.setState(rest).catch(() => {});
  }
}

function hintFor(reason: string, forcible: boolean): { readonly hint?: string } {
  if (reason === "waits")
    return { hint: "restart the machine: `systemctl reboot`; --force installs it once more" };
  return forcible ? { hint: "--force overrides it" } : {};
}
