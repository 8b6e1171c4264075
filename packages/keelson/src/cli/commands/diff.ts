import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { KeelError, exitCode } from "../../base/errors.ts";
import type { VersionView } from "../../api/wire/rollout.ts";
import { maxBodyBytes } from "../../model/unit.ts";
import type { DaemonClient } from "../daemon/client.ts";
import type { Invocation, Register } from "../invocation.ts";
import { unifiedDiff } from "../unified-diff.ts";
import type { DiffSide } from "../unified-diff.ts";
import { recordName } from "../unit-arguments.ts";

interface DiffOptions {
  readonly detailedExitcode?: boolean;
}

interface Sources {
  readonly keel: Invocation;
  readonly client: DaemonClient;
  readonly unit: string;
  readonly versions: readonly VersionView[];
}

export const register: Register = (program, act) => {
  const command = program
    .command("diff")
    .argument("<unit>", "a unit of the cluster")
    .argument("[from]", "a version’s number; the one before the newest if absent")
    .argument("[to]", "a version’s number, or a file; the newest version if absent")
    .option("--detailed-exitcode", "exit 3 when there is a difference")
    .description("Show how two versions of a unit’s file differ, or a version and a file.");
  act<DiffOptions>(command, async (keel, [word = "", from, to], options) => {
    const client = await keel.daemon();
    const unit = recordName(word, await client.snapshot());
    const sources: Sources = { keel, client, unit, versions: await client.versions(unit) };
    const [one, other] = await sides(sources, from, to);
    const text = unifiedDiff(one, other);
    keel.output.document(
      { unit, from: one.label, to: other.label, differ: text !== "", diff: text },
      () => text,
    );
    return text !== "" && options.detailedExitcode === true ? exitCode.planHasChanges : exitCode.done;
  });
};

/** A file alone is what the newest version would become. */
async function sides(
  sources: Sources,
  from: string | undefined,
  to: string | undefined,
): Promise<readonly [DiffSide, DiffSide]> {
  const newest = String(sources.versions[0]?.number ?? 0);
  if (to !== undefined) return [await sideOf(sources, from ?? newest), await sideOf(sources, to)];
  if (from !== undefined && !isNumber(from))
    return [await sideOf(sources, newest), await sideOf(sources, from)];
  const former = from ?? String(sources.versions[1]?.number ?? newest);
  return [await sideOf(sources, former), await sideOf(sources, newest)];
}

const isNumber = (word: string): boolean => /^\d+$/.test(word);

async function sideOf({ keel, client, unit }: Sources, word: string): Promise<DiffSide> {
  if (isNumber(word)) {
    const bytes = await client.versionFile(unit, Number(word));
    return { label: `${unit} version ${word}`, text: new TextDecoder().decode(bytes) };
  }
  let bytes: Uint8Array;
  try {
    bytes = await readFile(resolve(keel.terminal.cwd, word));
  } catch (cause) {
    throw new KeelError("KEEL-104", `${word} is neither a version’s number nor a file that can be read`, {
      cause,
    });
  }
  if (bytes.length > maxBodyBytes) {
    throw new KeelError(
      "KEEL-605",
      `${word} has ${bytes.length} bytes; a unit file may have ${maxBodyBytes}`,
    );
  }
  return { label: word, text: new TextDecoder().decode(bytes) };
}
