// Machines as virtual machines that boot the real OS image, on the same bridge as containers would be. Each has a
// disk that holds only what differs from the image, and a second cable over which the host gives commands.
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KeelError } from "../../base/errors.ts";
import { waitUntilEmpty } from "../cgroup.ts";
import { CommandError, runCommand, tryCommand } from "../command.ts";
import type { MachinePaths } from "../launch.ts";
import { lastLines, LocalMachines } from "../local-machines.ts";
import type { LocalMachinesOptions } from "../local-machines.ts";
import type { MachineIdentity, MachineRequest, ReadyOptions } from "../machine-provider.ts";
import type { MachineRecord } from "../machine-records.ts";
import { containerName } from "../names.ts";
import { acceleratorNamed } from "./accelerator.ts";
import type { Accelerator } from "./accelerator.ts";
import { ControlSocket, control } from "./control-socket.ts";
import { emulatorCommand, emulatorProgram, firmwareFiles } from "./emulator.ts";
import { greets, hostCablePort, loginCommand, loopbackAddress } from "./host-cable.ts";
import { hardwareAddress, hostsFile, identityCredentials } from "./identity.ts";
import { emulatorArguments } from "./virtual-machine.ts";

/** The file in a machine's folder that names the image which its disk lies over. */
export const imageNote = "image";

const defaultReadyMs = 90_000;
const controlMs = 30_000;
const greetingMs = 3000;
const environment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

/** What a cluster's virtual machines are made of. */
export interface QemuBase {
  /** The raw disk image; it must stay as it is while machines live. */
  readonly image: string;
  /** The tree with QEMU and its firmware; the host's own are used when undefined. */
  readonly tools?: string;
  readonly accelerator: Accelerator["name"];
  /** Of a machine that asks for nothing else. */
  readonly memoryBytes: number;
  readonly processors: number;
  /** The size that machines see their disk in; it takes room as it is used. */
  readonly diskBytes: number;
}

export interface QemuOptions extends LocalMachinesOptions {
  readonly base: QemuBase;
  /** For sockets: /run/keelson/CLUSTER. */
  readonly runtimeFolder: string;
}

export class QemuMachines extends LocalMachines {
  readonly kind = "qemu";
  readonly slowness: number;
  readonly #options: QemuOptions;

  constructor(options: QemuOptions) {
    super(options);
    this.#options = options;
    this.slowness = acceleratorNamed(options.base.accelerator).slowness;
  }

  override async create(request: MachineRequest): Promise<MachineIdentity> {
    const identity = await super.create(request);
    await this.#tellNames();
    return identity;
  }

  override async destroy(name: string): Promise<void> {
    await super.destroy(name);
    await this.#tellNames();
  }

  override async resume(name: string): Promise<void> {
    await super.resume(name);
    await this.#tellNames([name]);
  }

  async ready(name: string, options: ReadyOptions = {}): Promise<"running" | "degraded"> {
    const { timeoutMs = defaultReadyMs * this.slowness, signal } = options;
    const end = performance.now() + timeoutMs;
    const { address } = await this.records.read(name);
    for (;;) {
      if ((await this.folder(name)) === undefined) throw await this.failure(name, "does not run");
      if (await greets(address, { timeoutMs: greetingMs * this.slowness })) {
        const argv = ["systemctl", "is-system-running", "--wait"];
        const left = Math.max(1, end - performance.now());
        const { stdout } = await this.exec(name, argv, { timeoutMs: left, ...(signal && { signal }) });
        const state = stdout.trim();
        if (state === "running" || state === "degraded") {
          await this.#tellNames([name]);
          return state;
        }
      }
      if (performance.now() > end) throw await this.failure(name, `is not ready after ${timeoutMs / 1000} s`);
      await sleep(200, undefined, signal === undefined ? {} : { signal });
    }
  }

  async execCommand(
    name: string,
    argv: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Promise<string[]> {
    await this.awake(name);
    const { address } = await this.records.read(name);
    if (!(await greets(address, { timeoutMs: greetingMs * this.slowness })))
      throw await this.failure(name, "takes no logins: it starts, stops or hangs");
    const { folder } = this.#options;
    const login = {
      address,
      name,
      identity: join(folder, "ssh/id_ed25519"),
      knownHosts: join(folder, "ssh/known_hosts"),
      shared: this.#socket(name, "ssh"),
      connectSeconds: 10 * this.slowness,
    };
    return loginCommand(login, argv, env);
  }

  protected async launch(record: MachineRecord): Promise<void> {
    const { name } = record;
    const paths = this.records.paths(name);
    await mkdir(this.#sockets, { recursive: true, mode: 0o700 });
    await this.#removeSockets(name);
    const image = await this.#makeDisk(paths);
    const credentials = await this.#writeCredentials(record, paths);
    await writeFile(paths.console, "", { mode: 0o640 });
    await this.network.addPort(name);
    await this.scopes.start(this.scope(name), {
      argv: this.#emulator(record, { paths, credentials, image }),
      env: environment,
      logFile: emulatorLog(paths),
    });
    await this.#answers(name);
  }

  protected async shutDown(name: string, scope: string, timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs;
    if (await this.isPaused(name)) await this.setPaused(name, scope, false);
    // The command may come before the machine can take it.
    while (performance.now() < end) {
      const left = Math.max(1, end - performance.now());
      const said = await this.exec(name, powerOff, { timeoutMs: left }).catch(ignoreUnable);
      if (said?.code === 0) break;
      if (await waitUntilEmpty(scope, 500)) return;
    }
    await waitUntilEmpty(scope, Math.max(0, end - performance.now()));
  }

  protected async isPaused(name: string): Promise<boolean> {
    const status = await control(this.#socket(name, "control"), "query-status").catch(ignoreUnable);
    return (status as { status?: unknown } | undefined)?.status === "paused";
  }

  protected async setPaused(name: string, _scope: string, paused: boolean): Promise<void> {
    await control(this.#socket(name, "control"), paused ? "stop" : "cont");
  }

  protected override async setLink(name: string, up: boolean): Promise<void> {
    await control(this.#socket(name, "control"), "set_link", { name: "cable0", up });
    await super.setLink(name, up);
  }

  protected override async failure(name: string, what: string): Promise<KeelError> {
    const words = await lastLines(emulatorLog(this.records.paths(name)));
    return super.failure(name, words === "" ? what : `${what}; QEMU says:\n${words}\nand its console`);
  }

  protected override async clear(name: string): Promise<void> {
    await super.clear(name);
    await this.#removeSockets(name);
  }

  get #sockets(): string {
    return join(this.#options.runtimeFolder, "machines");
  }

  #socket(name: string, kind: "control" | "ssh"): string {
    return join(this.#sockets, `${containerName(this.#options.cluster, name)}.${kind}`);
  }

  /** Takes the sockets away, and with them the connection that commands have shared. */
  async #removeSockets(name: string): Promise<void> {
    const shared = this.#socket(name, "ssh");
    if (existsSync(shared))
      await tryCommand(["ssh", "-F", "none", "-O", "exit", "-o", `ControlPath=${shared}`, name], {
        timeoutMs: 5000,
      });
    for (const kind of ["control", "ssh"] as const) await rm(this.#socket(name, kind), { force: true });
  }

  /** The disk and the firmware's variables, made at the first start; the image that the disk lies over. */
  async #makeDisk({ folder }: MachinePaths): Promise<string> {
    const { image, tools, diskBytes } = this.#options.base;
    const noted = join(folder, imageNote);
    if (existsSync(join(folder, "disk.qcow2"))) return await readFile(noted, "utf8");
    const template = join(tools ?? "/", firmwareFiles.variables);
    await copyFile(template, join(folder, "variables.fd"));
    const made = join(folder, "disk.qcow2.new");
    const argv = [
      "qemu-img",
      "create",
      "-q",
      "-f",
      "qcow2",
      "-F",
      "raw",
      "-b",
      image,
      made,
      String(diskBytes),
    ];
    try {
      await runCommand(emulatorCommand(tools, argv, [dirname(image), folder]));
    } catch (cause) {
      if (!(cause instanceof CommandError)) throw cause;
      throw new KeelError("KEEL-312", `a disk over ${image} could not be made: ${cause.message}`, { cause });
    }
    await writeFile(noted, image);
    await rename(made, join(folder, "disk.qcow2"));
    return image;
  }

  /** The credentials as they are handed over at this start: with the names that the cluster has now. */
  async #writeCredentials(record: MachineRecord, paths: MachinePaths): Promise<readonly string[]> {
    const { cluster, folder } = this.#options;
    const target = handed(paths);
    await rm(target, { recursive: true, force: true });
    await mkdir(target, { mode: 0o700 });
    const own = identityCredentials({
      cluster,
      name: record.name,
      machineId: record.machineId,
      hosts: await readFile(join(folder, "hosts"), "utf8"),
      resolver: await readFile(join(folder, "resolv.conf"), "utf8"),
    });
    const given = await readdir(paths.credentials);
    for (const name of new Set([...given, ...Object.keys(own)])) {
      const first = given.includes(name) ? await readFile(join(paths.credentials, name)) : Buffer.alloc(0);
      await writeFile(join(target, name), Buffer.concat([first, Buffer.from(own[name] ?? "")]), {
        mode: 0o600,
      });
    }
    return await readdir(target);
  }

  #emulator(
    record: MachineRecord,
    files: { readonly paths: MachinePaths; readonly credentials: readonly string[]; readonly image: string },
  ): string[] {
    const { paths, credentials, image } = files;
    const { cluster, base, network } = this.#options;
    const { name, address, machineId } = record;
    const argv = emulatorArguments({
      name: containerName(cluster, name),
      uuid: machineId,
      accelerator: base.accelerator,
      memoryBytes: record.memoryBytes ?? base.memoryBytes,
      processors: record.processors ?? base.processors,
      firmware: { code: firmwareFiles.code, variables: join(paths.folder, "variables.fd") },
      disks: [{ file: join(paths.folder, "disk.qcow2"), format: "qcow2" }],
      cables: [
        {
          kind: "bridge",
          port: network.port(name),
          hardwareAddress: hardwareAddress(cluster, name, "bridge"),
        },
        {
          kind: "host",
          hardwareAddress: hardwareAddress(cluster, name, "host"),
          from: `${loopbackAddress(address)}:${hostCablePort}`,
          to: 22,
        },
      ],
      kernelWords: patience(this.slowness),
      credentials: credentials.map((file) => ({ name: file, path: join(handed(paths), file) })),
      control: this.#socket(name, "control"),
      console: paths.console,
    });
    const binds = [dirname(image), paths.folder, this.#sockets];
    return emulatorCommand(base.tools, [emulatorProgram, ...argv], binds);
  }

  /** Waits until QEMU runs the machine. */
  async #answers(name: string): Promise<void> {
    for (const end = performance.now() + controlMs; ; await sleep(20)) {
      const running = (await this.folder(name)) !== undefined;
      try {
        await using socket = await ControlSocket.open(this.#socket(name, "control"));
        await socket.run("query-status");
        return;
      } catch {
        if (!running) throw await this.failure(name, "ended while it was starting");
        if (performance.now() > end) throw await this.failure(name, "did not start in time");
      }
    }
  }

  /** Gives the names of all machines to those that run, or to some of them. One that cannot take them does without. */
  async #tellNames(names?: readonly string[]): Promise<void> {
    const content = await readFile(join(this.#options.folder, "hosts"), "utf8");
    const machines = (await this.records.all()).filter(({ name }) => names?.includes(name) ?? true);
    const line = `cat >${hostsFile}.new && mv ${hostsFile}.new ${hostsFile}`;
    const options = { timeoutMs: greetingMs * this.slowness, input: content, group: true };
    await Promise.all(
      machines.map(async ({ name, address }) => {
        const runs = (await this.folder(name)) !== undefined && !(await this.isPaused(name));
        if (!runs || !(await greets(address, { timeoutMs: 1000 }))) return;
        const argv = await this.execCommand(name, ["sh", "-c", line]).catch(ignoreUnable);
        if (argv !== undefined) await tryCommand(argv, options);
      }),
    );
  }
}

// Nobody in the machine listens to a power button: logind is not there.
const powerOff = "systemctl start --no-block --job-mode=replace-irreversibly poweroff.target".split(" ");

/** Words by which systemd waits longer for units and devices where everything takes longer: 90 s is its default. */
function patience(slowness: number): string[] {
  const span = `${90 * slowness}s`;
  return [`systemd.default_timeout_start_sec=${span}`, `systemd.default_device_timeout_sec=${span}`];
}

/** Where QEMU's own words are. */
function emulatorLog({ folder }: MachinePaths): string {
  return join(folder, "emulator.log");
}

/** The folder of the credentials of the last start. */
function handed({ folder }: MachinePaths): string {
  return join(folder, "handed");
}

/** A machine that cannot answer right now is no failure. */
function ignoreUnable(error: unknown): undefined {
  if (error instanceof KeelError && ["KEEL-303", "KEEL-311"].includes(error.code)) return undefined;
  throw error;
}
