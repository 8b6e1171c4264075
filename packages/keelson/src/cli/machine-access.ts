// How to get onto a machine: by the address that it announces, with the key that `keel up` made.
import { spawn } from "node:child_process";
import type { ChildProcess, ChildProcessByStdio, StdioOptions } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { UnitFile, serviceNameOf } from "@keelson/systemd";
import { KeelError } from "../base/errors.ts";
import type { InstanceView } from "../api/wire/instance.ts";
import type { MachineView } from "../api/wire/machine.ts";
import type { SnapshotView } from "../api/wire/snapshot.ts";
import type { DaemonClient } from "./daemon/client.ts";
import type { Invocation } from "./invocation.ts";
import { byPrefix } from "./prefix.ts";
import { sshArgv, sshOptionsOf, throughHop } from "./ssh-command.ts";
import type { SshRequest, SshTarget } from "./ssh-command.ts";
import { resolveUnits } from "./unit-arguments.ts";

/** The machine with this name, identity, address or beginning of one. Throws KEEL-502. */
export function findMachine(word: string, machines: readonly MachineView[]): MachineView {
  const candidates = machines.map((machine) => ({
    names: [machine.name, machine.id, machine.address],
    value: machine,
  }));
  return byPrefix(word, candidates, { code: "KEEL-502", what: "machine" });
}

/** An instance that is on a machine. */
export interface PlacedInstance {
  readonly instance: InstanceView;
  readonly machine: MachineView;
}

/** An instance that may wait for a machine. */
interface ShownInstance {
  readonly instance: InstanceView;
  readonly machine: MachineView | undefined;
}

/**
 * The instances that words mean and that are on a machine. Throws KEEL-501 for a word that is no unit, KEEL-503
 * when none of the instances has a machine.
 */
export function placedInstances(words: readonly string[], snapshot: SnapshotView): readonly PlacedInstance[] {
  const placed = instancesOf(words, snapshot).flatMap(({ instance, machine }) =>
    machine === undefined ? [] : [{ instance, machine }],
  );
  if (placed.length > 0) return placed;
  throw onNoMachine(words, snapshot);
}

/** The same with those that wait for a machine, and timers of the cluster, which have none. */
export function shownInstances(words: readonly string[], snapshot: SnapshotView): readonly ShownInstance[] {
  const shown = instancesOf(words, snapshot);
  const isTimer = ({ instance }: ShownInstance): boolean =>
    snapshot.units.some(({ name, timer }) => name === instance.unit && timer !== null);
  if (shown.some((one) => one.machine !== undefined || isTimer(one))) return shown;
  throw onNoMachine(words, snapshot);
}

function instancesOf(words: readonly string[], snapshot: SnapshotView): readonly ShownInstance[] {
  const names = new Set(resolveUnits(words, snapshot));
  return snapshot.instances
    .filter(({ name, unit, companion }) => names.has(name) || (names.has(unit) && !companion))
    .map((instance) => ({
      instance,
      machine: snapshot.machines.find(({ id }) => id === instance.machine),
    }));
}

function onNoMachine(words: readonly string[], snapshot: SnapshotView): KeelError {
  const [first = words[0] ?? ""] = resolveUnits(words, snapshot);
  return new KeelError("KEEL-503", `${first} is on no machine`, {
    hint: `\`keel why ${first}\` says why; \`keel start ${first}\` starts it`,
  });
}

/** systemd's name of an instance on its machine: the service that podman makes of a Quadlet. */
export async function serviceOf(
  instance: Pick<InstanceView, "name" | "unit">,
  client: DaemonClient,
): Promise<string> {
  if (/\.(service|socket|timer|path|mount)$/.test(instance.name)) return instance.name;
  const file = await client.unitFile(instance.unit);
  return serviceNameOf(instance.name, UnitFile.parse(file));
}

/** What reaching a machine takes. */
export type Reaching = Pick<Invocation, "cluster" | "terminal" | "connection">;

export async function sshTarget(keel: Reaching, machine: MachineView): Promise<SshTarget> {
  const { LocalCluster } = await import("../local/cluster.ts");
  const local = new LocalCluster(keel.cluster);
  // Without a local cluster of this name, ssh finds its key itself: an agent, ~/.ssh.
  const options = existsSync(local.sshIdentity) ? local.sshOptions : ["-o", "ConnectTimeout=10"];
  const { ssh } = keel.connection;
  const hop = ssh.tunnel === undefined ? [] : throughHop(ssh.tunnel, ssh);
  return {
    address: machine.address,
    options: [...sshOptionsOf(ssh), ...hop, ...options],
    user: ssh.user ?? "root",
  };
}

/** Makes the command lines that run commands on a machine: through ssh, unless it is this one. */
async function wayTo(
  keel: Reaching,
  machine: MachineView,
): Promise<(request: SshRequest) => readonly string[]> {
  if (isThisMachine(machine)) return (request) => localArgv(request, keel.terminal.env.SHELL ?? "/bin/sh");
  const target = await sshTarget(keel, machine);
  return (request) => sshArgv(target, request);
}

function localArgv({ command }: SshRequest, shell: string): readonly string[] {
  const [only, second] = command;
  if (only === undefined) return [shell, "-l"];
  return second === undefined ? ["/bin/sh", "-c", only] : command;
}

function isThisMachine({ id }: MachineView): boolean {
  try {
    return readFileSync("/etc/machine-id", "utf8").trim() === id;
  } catch {
    return false;
  }
}

/** Starts commands on a machine whose outputs are read here. */
export async function sshSpawner(
  keel: Reaching,
  machine: MachineView,
  { port, sudo }: { readonly port?: number | undefined; readonly sudo?: boolean } = {},
): Promise<(command: readonly string[]) => ChildProcessByStdio<null, Readable, Readable>> {
  const argv = await wayTo(keel, machine);
  return (words) => {
    const command = sudo === true ? ["sudo", ...words] : words;
    const [program = "ssh", ...args] = argv({ command, terminal: false, port });
    return spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  };
}

/** `--ssh-port`. Throws KEEL-104. */
export function portOf({ sshPort }: { readonly sshPort?: string }): number | undefined {
  if (sshPort === undefined) return undefined;
  if (/^\d{1,5}$/.test(sshPort) && Number(sshPort) > 0 && Number(sshPort) < 65_536) return Number(sshPort);
  throw new KeelError("KEEL-104", `--ssh-port ${sshPort}: no port`, { hint: "--ssh-port 22" });
}

/** Starts a command on a machine. */
export async function spawnSsh(
  keel: Reaching,
  machine: MachineView,
  request: SshRequest & { readonly stdio: StdioOptions },
): Promise<ChildProcess> {
  const [program = "ssh", ...args] = (await wayTo(keel, machine))(request);
  return spawn(program, args, { stdio: request.stdio });
}

/** A command behind `--`, which the parser leaves where it stands. */
export function withoutDashes(words: readonly string[]): readonly string[] {
  return words[0] === "--" ? words.slice(1) : words;
}

/** Runs a command on a machine with this process's own input and outputs; its exit code. */
export async function runOnMachine(
  keel: Reaching & Pick<Invocation, "signal">,
  machine: MachineView,
  request: SshRequest,
): Promise<number> {
  const child = await spawnSsh(keel, machine, { ...request, stdio: "inherit" });
  const stop = (): void => void child.kill("SIGTERM");
  keel.signal.addEventListener("abort", stop, { once: true });
  try {
    return await exitOf(child, machine);
  } finally {
    keel.signal.removeEventListener("abort", stop);
  }
}

/** What a command on a machine printed. Throws KEEL-303 when ssh itself fails. */
export async function readFromMachine(
  keel: Reaching,
  machine: MachineView,
  request: Pick<SshRequest, "command" | "port">,
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const child = await spawnSsh(keel, machine, {
    ...request,
    terminal: false,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => void (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => void (stderr += text));
  const code = await exitOf(child, machine);
  if (code === 255) throw new KeelError("KEEL-303", `ssh to ${machine.name} failed: ${stderr.trim()}`);
  return { code, stdout, stderr };
}

/** The exit code; 128 + the signal's number as shells count. Throws KEEL-301 when there is no ssh. */
function exitOf(child: ChildProcess, machine: MachineView): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on("error", (cause: NodeJS.ErrnoException) => {
      const message =
        cause.code === "ENOENT" ? "the command ssh is missing" : `ssh to ${machine.name}: ${cause.message}`;
      reject(new KeelError("KEEL-301", message, { cause, hint: "apt-get install openssh-client" }));
    });
    child.on("close", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 143)));
  });
}
