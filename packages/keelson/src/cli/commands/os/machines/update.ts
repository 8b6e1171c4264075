// Updates and returns of the cluster's machines, through the cluster's daemon.
import { resolve } from "node:path";
import { exitCode, KeelError } from "../../../../base/errors.ts";
import type { ExitCode } from "../../../../base/errors.ts";
import type { Intent } from "../../../../model/operation.ts";
import { readPointer } from "../../../../releases/channel.ts";
import { documentKinds, readEnvelope } from "../../../../releases/envelope.ts";
import { compareVersions } from "../../../../releases/words.ts";
import { standardChannel } from "../../../../updater/choose-release.ts";
import { openSource } from "../../../../updater/this-machine.ts";
import { change, makeChange } from "../../../change.ts";
import type { Invocation } from "../../../invocation.ts";
import { clusterStatusText } from "./status.ts";
import { termsOf } from "./options.ts";
import type { MachinesOptions } from "./options.ts";

export interface UpdateMachinesOptions extends MachinesOptions {
  readonly from?: string;
  readonly to?: string;
  readonly channel?: string;
}

/** A rolling update waits for restarts. */
const waitFor = "4h";

/** Plans or begins a rolling update. Throws what a guard refuses, and KEEL-875 when it was waited for and halted. */
export async function updateMachines(keel: Invocation, options: UpdateMachinesOptions): Promise<ExitCode> {
  const { from = "" } = options;
  const to = options.to ?? (await versionAt(keel, from, options.channel));
  const source = isUrl(from) ? from : resolve(keel.terminal.cwd, from).replace(manifestName, "");
  return carryOut(keel, { kind: "update-system", to, source, ...termsOf(options) }, options);
}

/** Takes machines back to the version in their other slot, one after the other. Throws as {@link updateMachines}. */
export function rollBackMachines(keel: Invocation, options: MachinesOptions): Promise<ExitCode> {
  return carryOut(keel, { kind: "update-system", to: "previous", ...termsOf(options) }, options);
}

async function carryOut(keel: Invocation, intent: Intent, options: MachinesOptions): Promise<ExitCode> {
  if (options.dryRun === true) return change(keel, intent, options);
  const wait = options.wait === true;
  const { operation, timedOut } = await makeChange(keel, intent, { timeout: waitFor, ...options, wait });
  const { id, summary } = operation;
  const view = await (await keel.daemon()).system();
  const hasBegun = view.update?.operation === id;
  keel.output.document(
    { operation: { id, summary, notes: operation.notes ?? [] }, update: hasBegun ? view.update : null },
    () => {
      if (!hasBegun) return `${summary}: nothing to do\n`;
      if (wait) return clusterStatusText(view, keel);
      const follow = `${keel.command("os status --all")} shows it`;
      return `${summary}: begun; ${follow}, ${keel.command("os abort")} ends it\n`;
    },
  );
  if (!wait || !hasBegun || view.update === null) return exitCode.done;
  const { state, reason, done, total } = view.update;
  const details = { operation: id, state, done, total };
  if (timedOut)
    throw new KeelError("KEEL-602", `the update goes on: ${done} of ${total} machines are done`, { details });
  if (state === "done") return exitCode.done;
  throw new KeelError("KEEL-875", `the update is ${state} with ${done} of ${total} done: ${reason}`, {
    hint: `\`${keel.command("os resume")}\` gives it another turn, \`${keel.command("os abort")}\` ends it`,
    details,
  });
}

const manifestName = /\/keelson_[^/]*\.manifest\.json$/;
const isUrl = (place: string): boolean => /^https?:/i.test(place);

/**
 * The version that a place offers to the cluster's machines: the one that it names, the newest that a folder has, or
 * what a channel's pointer says. The machines themselves check signatures. Throws KEEL-814.
 */
async function versionAt(keel: Invocation, from: string, channel: string | undefined): Promise<string> {
  const { source, to } = await openSource(from, { cwd: keel.terminal.cwd, clock: keel.clock });
  if (to !== undefined) return to;
  const system = await (await keel.daemon()).system();
  const variants = [...new Set(system.machines.flatMap((one) => one.system?.variant ?? []))];
  const names = channel === undefined ? await source.list(keel.signal) : undefined;
  const pattern = /^keelson_(\d+\.\d+\.\d+)_([a-z]+)_[a-z0-9]+\.manifest\.json$/;
  const listed = (names ?? []).flatMap((name) => {
    const [, version = "", variant = ""] = pattern.exec(name) ?? [];
    return variants.includes(variant) ? [version] : [];
  });
  const newest = listed.toSorted(compareVersions).at(-1);
  if (newest !== undefined) return newest;
  for (const variant of names === undefined ? variants : []) {
    for (const architecture of ["amd64", "arm64"]) {
      const name = `channel.${channel ?? standardChannel}_${variant}_${architecture}.json`;
      const bytes = await source.document(name, documentKinds.channel.limit, keel.signal);
      if (bytes !== undefined) return readPointer(readEnvelope(bytes, "channel")).version;
    }
  }
  throw new KeelError("KEEL-814", `${source.place} has no release for the cluster’s machines`, {
    hint: "name a version with --to",
  });
}
