// A real machine: systemd over D-Bus, podman by its command, files under /run.
import { readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { SystemdError, SystemdManager } from "@keelson/systemd";
import type { UnitChanges, UnitState as SystemdUnitState } from "@keelson/systemd";
import type { Clock } from "../base/clock.ts";
import { describeError, KeelError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { HealthProbe } from "../model/placement/rules.ts";
import { isQuadlet } from "../model/unit-name.ts";
import { readIfThere, writeAtomically } from "./atomic-file.ts";
import { killContainers } from "./container-kill.ts";
import { failureReason, jobProblem } from "./failure-reason.ts";
import { readFacts } from "./facts.ts";
import { FenceFiles } from "./fence-files.ts";
import type {
  ContainerFacts,
  FenceOrder,
  Host,
  HostFacts,
  ImageArchive,
  JobOutcome,
  ProbeAnswer,
  ProbeLimits,
  StartEnding,
  UnitAction,
  UnitNote,
  UnitState,
  WrittenUnit,
} from "./host.ts";
import { Podman } from "./podman.ts";
import { probeExec } from "./probes/exec-probe.ts";
import { probeHttp } from "./probes/http-probe.ts";
import { probeTcp } from "./probes/tcp-probe.ts";
import { quadletProblem, unreadableQuadlet } from "./quadlet-problem.ts";
import { runProgram } from "./run-program.ts";
import { SharedReload } from "./shared-reload.ts";
import { readStartEnding } from "./start-ending.ts";
import { UnitFiles } from "./unit-files.ts";
import { unitDirectories } from "./unit-place.ts";

export interface LinuxHostOptions {
  /** For what must survive the daemon's restart but not the machine's. */
  readonly runtimeDir: string;
  /** On disk, for archives on their way. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal?: AbortSignal;
}

/** systemd limits jobs by each unit's own settings; waiting for one has no limit but the caller's signal. */
const endlessMs = 2 ** 31 - 1;
const watchedTypes = ["*.service", "*.socket", "*.timer", "*.path", "*.mount"];
const unknownState: UnitState = {
  load: "not-found",
  active: "inactive",
  sub: "dead",
  invocation: "",
  since: 0,
  reason: "",
  restarts: 0,
};

export class LinuxHost implements Host {
  readonly #manager: SystemdManager;
  readonly #files: UnitFiles;
  readonly #options: LinuxHostOptions;
  readonly #podman: Podman;
  readonly #fence: FenceFiles;
  readonly #reload: SharedReload;
  /** By systemd's name; what is not here is not loaded. */
  readonly #states = new Map<string, SystemdUnitState>();
  readonly #listeners = new Set<(names: readonly string[]) => void>();
  /** Containers in which checks have run, by service. */
  readonly #containers = new Map<string, { readonly invocation: string; readonly id: string }>();
  /** Why a Quadlet did not become a service, by file name. */
  readonly #problems = new Map<string, string>();

  private constructor(options: LinuxHostOptions, manager: SystemdManager, files: UnitFiles) {
    this.#options = options;
    this.#manager = manager;
    this.#files = files;
    const incoming = join(options.stateDir, "incoming");
    this.#podman = new Podman(incoming);
    this.#fence = new FenceFiles(options.runtimeDir);
    this.#reload = new SharedReload(() => this.#reloadNow(), options.clock);
  }

  /** Rejects with a SystemdError when systemd cannot be reached. */
  static async open(options: LinuxHostOptions): Promise<LinuxHost> {
    const { log, signal, runtimeDir, stateDir, clock } = options;
    const manager = await SystemdManager.connect({
      clock,
      ...(signal === undefined ? {} : { signal }),
      log: (message, details) => log.info(message, details),
    });
    const files = await UnitFiles.open(join(runtimeDir, "units.json"), unitDirectories, {
      enable: (names) => manager.enable(names, { force: true }),
      disable: (names) => manager.disable(names),
    });
    const incoming = join(stateDir, "incoming");
    await rm(incoming, { recursive: true, force: true });
    await mkdir(incoming, { recursive: true });
    const host = new LinuxHost(options, manager, files);
    await manager.watchUnits({
      match: watchedTypes,
      isDetailed: (service) => host.#isOurs(service),
      coalesceMs: 10,
      onChange: (changes) => host.#take(changes),
    });
    return host;
  }

  facts(): Promise<HostFacts> {
    return readFacts();
  }

  written(): Promise<ReadonlyMap<string, WrittenUnit>> {
    return this.#files.written();
  }

  async write(
    name: string,
    body: string,
    note: UnitNote,
  ): Promise<{ readonly unit: WrittenUnit; readonly reload: boolean }> {
    this.#problems.delete(name);
    if (isQuadlet(name)) {
      const problem = await unreadableQuadlet(name, body, this.#options.runtimeDir);
      if (problem !== undefined) throw new KeelError("KEEL-101", `podman cannot read ${name}: ${problem}`);
    }
    return this.#files.write(name, body, note);
  }

  note(name: string, note: UnitNote): Promise<void> {
    return this.#files.note(name, note);
  }

  body(name: string): Promise<string | undefined> {
    return this.#files.body(name);
  }

  remove(name: string): Promise<{ readonly reload: boolean }> {
    this.#problems.delete(name);
    this.#containers.delete(this.#service(name));
    return this.#files.remove(name);
  }

  reload(): Promise<void> {
    return this.#reload.request();
  }

  async act(action: UnitAction, name: string, signal: AbortSignal): Promise<JobOutcome> {
    const service = this.#service(name);
    const options = { signal, timeoutMs: endlessMs };
    const before = this.#states.get(service)?.invocationId;
    try {
      const { result } = await this.#run(action, service, options);
      const problem = jobProblem(result);
      if (problem !== undefined) {
        const outcome = await this.#explain(service, problem);
        return result === "dependency" && !outcome.done ? { ...outcome, stuck: true } : outcome;
      }
      if (action !== "stop") {
        const state = await this.#manager.unitState(service);
        if (action === "restart" && before !== undefined && state.invocationId === before)
          return { done: false, reason: "systemd did not start it anew", failed: false };
        // The watch tells it a moment later; until then it would look as if the unit had ended already.
        if (state.active !== "inactive") this.#states.set(service, state);
      }
      return { done: true };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof SystemdError && error.code === "unknown-unit") {
        if (action === "stop") return { done: true };
        const reason = await this.#whyUnknown(name, error.reason);
        return { done: false, reason, failed: false, stuck: true };
      }
      return await this.#explain(service, describeError(error));
    }
  }

  async kill(name: string): Promise<void> {
    const { mainPid } = this.#states.get(this.#service(name)) ?? {};
    const isQuadlet = this.#files.manifest.get(name)?.isQuadlet === true;
    if (isQuadlet && mainPid !== undefined && (await killContainers(mainPid).catch(() => false))) return;
    await this.#ignoreUnknown(this.#manager.killUnit(this.#service(name), 9));
  }

  async resetFailed(name: string): Promise<void> {
    await this.#ignoreUnknown(this.#manager.resetFailed(this.#service(name)));
  }

  states(names: Iterable<string>): ReadonlyMap<string, UnitState> {
    return new Map([...names].map((name) => [name, this.#stateOf(name)]));
  }

  onChange(listener: (names: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async lastLine(name: string): Promise<string> {
    return readLastLine([`_SYSTEMD_UNIT=${this.#service(name)}`]);
  }

  startEnding(name: string, sinceMs: number): Promise<StartEnding | undefined> {
    return readStartEnding(this.#service(name), sinceMs);
  }

  async containers(names: readonly string[]): Promise<ReadonlyMap<string, ContainerFacts>> {
    const all = await this.#podman.containers();
    return new Map(
      names.flatMap((name) => {
        const facts = all.get(this.#service(name));
        return facts === undefined ? [] : [[name, facts] as const];
      }),
    );
  }

  async probe(name: string, probe: HealthProbe, limits: ProbeLimits): Promise<ProbeAnswer> {
    switch (probe.kind) {
      case "http":
        return probeHttp(probe.url, limits);
      case "tcp":
        return probeTcp(probe.address, limits);
      case "exec": {
        if (!name.endsWith(".container")) return probeExec(probe.command, undefined, limits);
        const container = await this.#containerOf(this.#service(name));
        if (container !== undefined) return probeExec(probe.command, container, limits);
        return { ok: false, reason: "podman knows no container of it" };
      }
    }
  }

  imageId(reference: string): Promise<string | undefined> {
    return this.#podman.imageId(reference);
  }

  loadImage(archive: ImageArchive, signal: AbortSignal): Promise<void> {
    return this.#podman.load(archive, signal);
  }

  uptimeSeconds(): number {
    return Number.parseFloat(readFileSync("/proc/uptime", "utf8"));
  }

  readFenceDeadline(): Promise<number | undefined> {
    return this.#fence.deadline();
  }

  lastFenced(): Promise<number | undefined> {
    return this.#fence.lastActed();
  }

  writeFence({ deadline, units }: FenceOrder): Promise<void> {
    return this.#fence.write(
      deadline,
      units.map((name) => this.#service(name)),
    );
  }

  readState(name: string): Promise<string | undefined> {
    return readIfThere(join(this.#options.runtimeDir, name));
  }

  writeState(name: string, text: string): Promise<void> {
    return writeAtomically(join(this.#options.runtimeDir, name), text, 0o600);
  }

  async isShuttingDown(): Promise<boolean> {
    return (await this.#manager.systemState({ timeoutMs: 1000 })) === "stopping";
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#manager[Symbol.asyncDispose]();
  }

  /** Asked once for each start of the service. */
  async #containerOf(service: string): Promise<string | undefined> {
    const invocation = this.#states.get(service)?.invocationId;
    const known = this.#containers.get(service);
    if (known !== undefined && known.invocation === invocation) return known.id;
    const id = await this.#podman.containerOf(service).catch(() => undefined);
    if (id === undefined || invocation === undefined) this.#containers.delete(service);
    else this.#containers.set(service, { invocation, id });
    return id;
  }

  #run(action: UnitAction, service: string, options: { signal: AbortSignal; timeoutMs: number }) {
    switch (action) {
      case "start":
        return this.#manager.startUnit(service, options);
      case "stop":
        return this.#manager.stopUnit(service, options);
      case "restart":
        return this.#manager.restartUnit(service, options);
    }
  }

  /** systemd's name of a unit that the agent wrote; for others the name itself. */
  #service(name: string): string {
    return this.#files.manifest.get(name)?.service ?? name;
  }

  #isOurs(service: string): boolean {
    for (const entry of this.#files.manifest.values()) if (entry.service === service) return true;
    return false;
  }

  #take(changes: UnitChanges): void {
    for (const [service, state] of changes) {
      if (state === undefined) this.#states.delete(service);
      else this.#states.set(service, state);
    }
    const names = [...this.#files.manifest].flatMap(([name, { service }]) =>
      changes.has(service) ? [name] : [],
    );
    if (names.length > 0) for (const listener of this.#listeners) listener(names);
  }

  #stateOf(name: string): UnitState {
    const entry = this.#files.manifest.get(name);
    const state = this.#states.get(entry?.service ?? name);
    if (state !== undefined && state.load !== "") {
      return {
        load: state.load,
        active: state.active,
        sub: state.sub,
        invocation: state.invocationId ?? "",
        since: Math.floor((state.stateChangeUsec ?? 0) / 1000),
        reason: (state.load === "loaded" ? undefined : this.#problems.get(name)) ?? failureReason(state),
        restarts: state.nRestarts ?? 0,
        ...(state.execMainCode === "exited" &&
          state.execMainStatus !== undefined && { status: state.execMainStatus }),
      };
    }
    const problem = this.#problems.get(name);
    if (entry === undefined || problem !== undefined) return { ...unknownState, reason: problem ?? "" };
    // systemd drops what nobody uses; the file is there, and it loads again when it is asked for.
    return { ...unknownState, load: "loaded" };
  }

  async #reloadNow(): Promise<void> {
    await this.#manager.reload();
  }

  async #explain(service: string, problem: string): Promise<JobOutcome> {
    const state = await this.#manager.unitState(service).catch(() => undefined);
    if (state === undefined) return { done: false, reason: problem, failed: false };
    const failed = state.active === "failed";
    // systemd forgets at once a unit that it cannot load: nothing but this answer tells of it.
    const stuck = !failed && ["bad-setting", "error", "masked"].includes(state.load);
    const complaint = stuck ? await readLastLine(["_PID=1", `UNIT=${service}`, "--priority=warning"]) : "";
    return { done: false, reason: complaint || failureReason(state) || problem, failed, stuck };
  }

  async #whyUnknown(name: string, reason: string): Promise<string> {
    if (this.#files.manifest.get(name)?.isQuadlet !== true) return reason;
    const problem = (await quadletProblem(name)) ?? reason;
    this.#problems.set(name, problem);
    return problem;
  }

  async #ignoreUnknown(call: Promise<void>): Promise<void> {
    try {
      await call;
    } catch (error) {
      const isGone =
        error instanceof SystemdError && (error.code === "unknown-unit" || error.code === "bus-call");
      if (!isGone) throw error;
    }
  }
}

async function readLastLine(which: readonly string[]): Promise<string> {
  const argv = ["journalctl", "--quiet", "-n", "3", "-o", "cat", ...which] as const;
  const { stdout } = await runProgram(argv, { timeoutMs: 5000 });
  // podman says the id of each container that it starts.
  const lines = stdout.split("\n").filter((line) => line.trim() !== "" && !/^[0-9a-f]{64}$/.test(line));
  return (lines.at(-1) ?? "").trim().slice(0, 300);
}
