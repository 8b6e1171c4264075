// The rescue state: the machine runs from its image, but its state partition could not be used. Nothing on the
// disk changes until a person decides; these are the two ways out.
import { KeelError } from "../base/errors.ts";
import { readIfThere } from "../host/atomic-file.ts";
import { readOsFacts } from "../host/os-facts.ts";
import type { OsFacts } from "../host/os-facts.ts";
import { runProgram } from "../host/run-program.ts";
import type { ProgramResult } from "../host/run-program.ts";
import { bootMarks, partitions } from "../model/os-image.ts";

export interface Rescue {
  /** One line. */
  readonly reason: string;
  readonly facts: OsFacts | undefined;
}

/** What the ways out need of the machine. */
export interface RescueMachine {
  readonly readMark: () => Promise<string | undefined>;
  readonly readFacts: () => Promise<OsFacts | undefined>;
  readonly run: (argv: readonly [string, ...string[]]) => Promise<ProgramResult>;
}

/** A check of a large disk takes minutes; one that takes longer than this hangs. */
const longestMs = 2 * 3600_000;

export const thisMachine: RescueMachine = {
  readMark: () => readIfThere(bootMarks.rescue),
  readFacts: () => readOsFacts(),
  run: (argv) => runProgram(argv, { timeoutMs: longestMs }),
};

/** The highest answer of e2fsck that means a sound file system: 1 is mended, 2 is mended and a restart wanted. */
const mended = 2;

/** Where the partitions are described that the machine may make anew. */
const definitions = "/usr/lib/keelson/repart.d";

/** Undefined when the machine has its state. */
export async function readRescue(machine: RescueMachine = thisMachine): Promise<Rescue | undefined> {
  const text = await machine.readMark();
  if (text === undefined) return undefined;
  const reason = text.trim().split("\n")[0]?.slice(0, 400) || "the state partition could not be used";
  return { reason, facts: await machine.readFacts() };
}

/**
 * Mends the file system of the state partition; resolves with what fsck says. The machine uses it after a restart.
 * Rejects with KEEL-862 outside the rescue state or without a partition, and KEEL-863 when it cannot be mended.
 */
export async function repairState(machine: RescueMachine = thisMachine): Promise<string> {
  const device = (await inRescue(machine)).facts?.stateDevice;
  if (device === undefined) {
    throw new KeelError("KEEL-862", `there is no partition ${partitions.state} to repair`, {
      hint: "keel os rescue --reformat --yes makes it anew, empty",
    });
  }
  const fsck = () => machine.run(["e2fsck", "-f", "-y", device]);
  let outcome = await fsck();
  // Where a backup of the superblock was used and the journal replayed, e2fsck puts the superblock back and gives up:
  // it goes on when it is asked once more.
  if (outcome.status > mended) outcome = await fsck();
  const { status, stdout, stderr } = outcome;
  if (status <= mended) return stdout.trim();
  throw new KeelError("KEEL-863", `${device} cannot be repaired: ${lastLines(stderr || stdout)}`, {
    hint: "what can be saved is read with debugfs; keel os rescue --reformat --yes makes it anew, empty",
  });
}

/** Makes the state partition anew, empty; where the partition itself is gone, that too. Errors as above. */
export async function reformatState(machine: RescueMachine = thisMachine): Promise<void> {
  const { facts } = await inRescue(machine);
  const argv = reformatCommand(facts);
  const { status, stdout, stderr } = await machine.run(argv);
  if (status === 0) return;
  throw new KeelError("KEEL-863", `the state partition cannot be made: ${lastLines(stderr || stdout)}`);
}

function reformatCommand(facts: OsFacts | undefined): readonly [string, ...string[]] {
  if (facts?.stateDevice !== undefined)
    return ["mkfs.ext4", "-q", "-F", "-L", partitions.state, facts.stateDevice];
  if (facts?.disk === undefined) throw new KeelError("KEEL-862", "the machine’s disk is not known");
  return ["systemd-repart", "--dry-run=no", `--definitions=${definitions}`, facts.disk];
}

async function inRescue(machine: RescueMachine): Promise<Rescue> {
  const rescue = await readRescue(machine);
  if (rescue !== undefined) return rescue;
  throw new KeelError("KEEL-862", "the machine has its state partition in use", {
    hint: "only a machine in the rescue state is repaired here",
  });
}

const lastLines = (text: string): string => text.trim().split("\n").slice(-3).join("; ").slice(0, 500);
