// First-boot configuration of the machine that this runs on, and what is known of it.
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { describeError, KeelError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { bootMarks, statePaths, writableEtc } from "../model/os-image.ts";
import { thisMachine } from "./apply/machine.ts";
import { readState } from "./apply/state.ts";
import type { ProvisionState } from "./apply/state.ts";
import { withLock } from "./one-at-a-time.ts";
import { provision } from "./provision.ts";
import type { Outcome } from "./provision.ts";
import { reportReady } from "./sources/azure.ts";
import { readFacts } from "./sources/facts.ts";
import { labelledDisks } from "./sources/mounted-disk.ts";
import { defaultEndpoints } from "./sources/source.ts";
import type { Asking } from "./sources/source.ts";

/** What is gone with the boot: the lock, the mark that something waits for the network, the disk while it is read. */
const runtimeFolder = "/run/keelson/provision";
/** How long a cloud, an address, a store may be silent. */
const patienceMs = 180_000;

/** Rejects with KEEL-841, 842 and 845: see provision(). */
export async function provisionHere(options: {
  readonly stage: "local" | "network";
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly environment: Readonly<Record<string, string | undefined>>;
}): Promise<Outcome> {
  const { stage, log, signal } = options;
  if (!existsSync(writableEtc) || process.getuid?.() !== 0)
    throw new KeelError("KEEL-845", "this is no machine that runs Keelson’s image, or you are not root", {
      hint: "keel os validate FILE works everywhere",
    });
  const facts = await readFacts(options.environment);
  const clock = systemClock;
  const asking: Asking = {
    facts,
    clock,
    patienceMs,
    endpoints: defaultEndpoints,
    openDisk: labelledDisks(facts.diskLabels, runtimeFolder),
    signal,
  };
  return await withLock(runtimeFolder, { clock, patienceMs }, async () => {
    const isRescue = existsSync(bootMarks.rescue);
    const outcome = await provision({
      stage,
      asking,
      machine: thisMachine,
      stateFolder: statePaths.provision,
      clock,
      log,
      isRescue,
      patienceMs,
    });
    await handOver(outcome, stage);
    if (outcome.source?.kind === "azure") await tellAzure(asking, log);
    return outcome;
  });
}

/** What waits for the network is the second stage's. */
async function handOver({ waiting }: Outcome, stage: "local" | "network"): Promise<void> {
  const mark = join(runtimeFolder, "waiting");
  if (stage === "network") return await rm(mark, { force: true });
  if (waiting.length === 0) return;
  await mkdir(runtimeFolder, { recursive: true, mode: 0o700 });
  await writeFile(mark, "");
  await thisMachine.run(["systemctl", "--no-block", "start", "keelson-provision-network.service"]);
}

async function tellAzure(asking: Asking, log: Log): Promise<void> {
  try {
    if (await reportReady(asking)) log.info("Azure knows that the machine is up");
  } catch (error) {
    log.warn("Azure could not be told that the machine is up", { error: describeError(error) });
  }
}

/** What was applied to this machine; undefined when nothing ever was. Rejects with KEEL-845 when it may not be read. */
export async function readProvisionState(
  folder: string = statePaths.provision,
): Promise<ProvisionState | "damaged" | undefined> {
  try {
    return await readState(folder);
  } catch (cause) {
    throw new KeelError("KEEL-845", `${folder} cannot be read: ${describeError(cause)}`, {
      hint: "only root may: passwords and tokens are near",
      cause,
    });
  }
}
