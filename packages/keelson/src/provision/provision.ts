// One run of first-boot configuration: finds the source, reads it, works out what differs from what was applied, and
// does that. `keel os provision run` calls it, from keelson-provision.service before the network is up and from
// keelson-provision-network.service after it.
// Invariants: a configuration with an error changes nothing; no source changes nothing; what was done is on the disk
// before the next thing is begun; no secret is in what it tells.
import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import type { Clock } from "../base/clock.ts";
import { KeelError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { version } from "../base/version.ts";
import { Accounts } from "./apply/accounts.ts";
import type { Addresses } from "./apply/addresses.ts";
import { addressOf } from "./apply/cluster-place.ts";
import { Doer, failureText, originalsFolder } from "./apply/doer.ts";
import { isVolatile, itemsOf } from "./apply/items.ts";
import { at } from "./apply/machine.ts";
import type { Machine } from "./apply/machine.ts";
import { plan } from "./apply/plan.ts";
import type { Step } from "./apply/plan.ts";
import { emptyState, readState, writeState } from "./apply/state.ts";
import type { AppliedItem, ProvisionState } from "./apply/state.ts";
import { emptyConfig } from "./machine-config.ts";
import type { MachineConfig } from "./machine-config.ts";
import { findingText } from "./reading/findings.ts";
import type { Finding } from "./reading/findings.ts";
import { findSource } from "./sources/find-source.ts";
import { machineNumber } from "./sources/facts.ts";
import type { Asking, Gathered } from "./sources/source.ts";

export interface ProvisionOptions {
  readonly stage: "local" | "network";
  readonly asking: Asking;
  readonly machine: Machine;
  /** /var/lib/keelson/provision */
  readonly stateFolder: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The state partition is gone: only what lets a person in. */
  readonly isRescue: boolean;
  /** How long the own address and the store are waited for. */
  readonly patienceMs: number;
}

export interface Outcome {
  /** Undefined when no source has anything for this machine: nothing was changed. */
  readonly source?: { readonly kind: string; readonly where: string };
  readonly instance?: string;
  readonly steps: readonly { readonly action: Step["action"]; readonly what: string }[];
  readonly failures: ProvisionState["failures"];
  /** Left for when the network is up. */
  readonly waiting: readonly string[];
  readonly findings: readonly Finding[];
}

const nothing: Outcome = { steps: [], failures: [], waiting: [], findings: [] };

/** Rejects with KEEL-841 for a configuration with errors, and KEEL-842 for a source that does not answer. */
export async function provision(options: ProvisionOptions): Promise<Outcome> {
  const { asking, log, stage, stateFolder } = options;
  await mkdir(stateFolder, { recursive: true, mode: 0o700 });
  const state = await stateOf(options);
  const gathered = await findSource(asking, stage).catch(async (error: unknown) => {
    const failure = {
      id: "source",
      what: "the source",
      message: failureText(error),
      at: options.clock.wall(),
    };
    const others = state.failures.filter(({ id }) => id !== failure.id);
    await writeState(stateFolder, { ...state, failures: [...others, failure] });
    throw error;
  });
  if (gathered === undefined) {
    log.debug("no source has a configuration for this machine");
    return nothing;
  }
  const source = { kind: gathered.kind, where: gathered.where };
  if (await isSettled(options, state, gathered)) {
    log.info("the configuration is the one that was applied", { source: `${source.kind} (${source.where})` });
    return { ...nothing, source, findings: state.findings };
  }
  // Only now: most boots never need the parsers.
  const [{ readUserData }, { readNetworkConfig }] = await Promise.all([
    import("./user-data.ts"),
    import("./network-config.ts"),
  ]);
  const reading = gathered.userData === undefined ? undefined : readUserData(gathered.userData);
  const network =
    gathered.networkConfig === undefined ? undefined : readNetworkConfig(gathered.networkConfig);
  const findings = [...(reading?.findings ?? []), ...(network?.findings ?? [])];
  for (const finding of findings)
    log[finding.severity === "error" ? "error" : "warn"](
      findingText(finding)
        .trim()
        .replaceAll(/\s*\n\s*/g, " "),
    );
  if (reading !== undefined && reading.config === undefined) {
    await writeState(stateFolder, { ...state, source, findings: [...findings] });
    const count = findings.filter(({ severity }) => severity === "error").length;
    throw new KeelError(
      "KEEL-841",
      `the configuration from ${source.kind} (${source.where}) has ${count} errors`,
      {
        hint: "keel os provision status lists them; nothing of it was applied",
        details: { findings },
      },
    );
  }
  const config = reading?.config ?? emptyConfig;
  const whole = { ...config, files: [...(network?.files ?? []), ...config.files] };
  return await apply({ options, state, gathered, config: whole, findings });
}

/** Everything that a source says, and which program read it: another one may understand more. */
function fingerprint({ kind, userData, hostname, keys, networkConfig, addresses }: Gathered): string {
  const rest = JSON.stringify([version, kind, hostname, keys, networkConfig, addresses]);
  return createHash("sha256")
    .update(rest)
    .update("\0")
    .update(userData ?? "")
    .digest("hex");
}

/** Whether the same was applied to the same machine, whole, and nothing of it was for one boot only. */
async function isSettled(
  options: ProvisionOptions,
  state: ProvisionState,
  gathered: Gathered,
): Promise<boolean> {
  if (state.configuration !== fingerprint(gathered) || options.isRescue) return false;
  if (state.failures.length > 0 || state.waiting.length > 0) return false;
  if (state.instance !== (await instanceOf(options, gathered))) return false;
  const boot = await bootId(options.machine);
  return state.applied.every((entry) => entry.boot === undefined || entry.boot === boot);
}

async function instanceOf({ asking, machine }: ProvisionOptions, { instance }: Gathered): Promise<string> {
  return instance ?? machineNumber(asking.facts) ?? (await machineId(machine));
}

interface Application {
  readonly options: ProvisionOptions;
  readonly state: ProvisionState;
  readonly gathered: Gathered;
  readonly config: MachineConfig;
  readonly findings: readonly Finding[];
}

async function apply({ options, state, gathered, config, findings }: Application): Promise<Outcome> {
  const { asking, clock, log, machine, stage, stateFolder } = options;
  const source = { kind: gathered.kind, where: gathered.where };
  const instance = await instanceOf(options, gathered);
  const boot = await bootId(machine);
  const wanted = itemsOf(config, gathered);
  const planned = plan(wanted, state, {
    addresses: stage === "local" ? gathered.addresses : await withOwn(gathered.addresses, machine),
    mayWait: stage === "local",
    boot,
    // Another source of the same machine is no other machine.
    isNewInstance:
      state.instance !== undefined && state.instance !== instance && state.source?.kind === source.kind,
    isRescue: options.isRescue,
  });
  const accounts = await Accounts.read(machine, state);
  const name = wanted.find((item) => item.kind === "hostname")?.name;
  const doer = new Doer({
    machine,
    accounts,
    originals: originalsFolder(stateFolder),
    hostname: name,
    clock,
    patienceMs: options.patienceMs,
    signal: asking.signal,
  });
  const applied = new Map(state.applied.map((entry) => [entry.id, entry]));
  const failures: ProvisionState["failures"] = planned.impossible.map((one) => ({
    ...one,
    at: clock.wall(),
  }));
  const done: { action: Step["action"]; what: string }[] = [];
  const keep = (): Promise<void> =>
    writeState(stateFolder, {
      version: 1,
      source,
      instance,
      at: clock.wall(),
      configuration: fingerprint(gathered),
      applied: [...applied.values()],
      failures,
      waiting: [...planned.waiting],
      findings: [...findings],
      accounts: accounts.numbers,
    });
  for (const step of planned.steps) {
    asking.signal?.throwIfAborted();
    try {
      const entry = await carryOut(step, doer, { boot, at: clock.wall() });
      if (entry === undefined) applied.delete(step.id);
      else applied.set(step.id, entry);
      done.push({ action: step.action, what: step.what });
      log.info(`${past[step.action]}: ${step.what}`);
    } catch (error) {
      const message = failureText(error);
      failures.push({ id: step.id, what: step.what, message, at: clock.wall() });
      log.error(`not applied: ${step.what}`, { error: message });
    }
    await keep();
  }
  for (const message of await doer.units.carryOut())
    failures.push({ id: "units", what: "systemd", message, at: clock.wall() });
  await keep();
  log.info("the configuration is applied", {
    source: `${source.kind} (${source.where})`,
    steps: done.length,
    failures: failures.length,
    waiting: planned.waiting.length,
  });
  return { source, instance, steps: done, failures, waiting: planned.waiting, findings };
}

const past: Readonly<Record<Step["action"], string>> = {
  create: "set up",
  change: "changed",
  repeat: "set up again",
  remove: "removed",
};

async function carryOut(
  step: Step,
  doer: Doer,
  { boot, at: when }: { readonly boot: string; readonly at: number },
): Promise<AppliedItem | undefined> {
  if (step.action === "remove") {
    await doer.remove(step.was);
    return undefined;
  }
  const { item, id, what, digest, was } = step;
  const made = await doer.apply(item, was);
  return { id, digest, what, at: when, ...(isVolatile(item) && { boot }), ...made, made: [...made.made] };
}

/** A state that cannot be read is as good as none: everything is applied again, and nothing is taken back. */
async function stateOf({ stateFolder, log }: ProvisionOptions): Promise<ProvisionState> {
  const state = await readState(stateFolder);
  if (state !== "damaged") return state ?? emptyState;
  log.warn("what was applied before cannot be read: everything is applied again, and nothing is taken back");
  return emptyState;
}

/** What the source does not tell, the machine knows itself: its address is private as long as nobody says more. */
async function withOwn(told: Addresses, machine: Machine): Promise<Addresses> {
  if (told.privateIpv4 !== undefined && told.privateIpv6 !== undefined) return told;
  const facts = await machine.network();
  const own = (family: 4 | 6): string | undefined =>
    addressOf({ ...facts, addresses: facts.addresses.filter((entry) => entry.family === family) });
  return { ...told, privateIpv4: told.privateIpv4 ?? own(4), privateIpv6: told.privateIpv6 ?? own(6) };
}

async function machineId(machine: Machine): Promise<string> {
  return (await readFile(at(machine, "/etc/machine-id"), "utf8").catch(() => "unknown")).trim();
}

async function bootId(machine: Machine): Promise<string> {
  const path = at(machine, "/proc/sys/kernel/random/boot_id");
  return (await readFile(path, "utf8").catch(() => "unknown")).trim();
}
