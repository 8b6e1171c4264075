// Machines as virtual machines that boot the real OS image, on the same bridge as containers would be. Each has a
// disk that holds only what differs from the image, and a second cable over which the host gives commands.
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KeelError } from "../../base/errors.ts";
import { waitUntilEmpty } from "../cgroup.ts";
import { tryCommand } from "../command.ts";
import type { MachinePaths } from "../launch.ts";
import { lastLines, LocalMachines } from "../local-machines.ts";
import type { LocalMachinesOptions } from "../local-machines.ts";
import type { MachineIdentity, MachineRequest, ReadyOptions } from "../machine-provider.ts";
import type { MachineRecord } from "../machine-records.ts";
import { containerName } from "../names.ts";
import { acceleratorNamed } from "./accelerator.ts";
import { ControlSocket, control } from "./control-socket.ts";
import { greets, loginCommand } from "./host-cable.ts";
import { hostsFile } from "./identity.ts";
import { localMachineCommand } from "./machine-command.ts";
import { handOver } from "./machine-credentials.ts";
import { ensureDisk } from "./machine-disk.ts";
import type { QemuBase } from "./machine-disk.ts";

const defaultReadyMs = 90_000;
const controlMs = 30_000;
const greetingMs = 3000;
const environment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

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
    await this.#tell(await this.records.read(name), setClock);
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
    const { base, cluster, folder } = this.#options;
    const image = await ensureDisk(base, paths);
    const credentials = await handOver(record, paths, { cluster, folder });
    await writeFile(paths.console, "", { mode: 0o640 });
    await this.network.addPort(name);
    await this.scopes.start(this.scope(name), {
      argv: localMachineCommand(record, {
        base,
        paths,
        image,
        credentials,
        cluster,
        port: this.network.port(name),
        control: this.#socket(name, "control"),
        slowness: this.slowness,
      }),
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

  /** Gives the names of all machines to those that run, or to some of them. */
  async #tellNames(names?: readonly string[]): Promise<void> {
    const content = await readFile(join(this.#options.folder, "hosts"), "utf8");
    const machines = (await this.records.all()).filter(({ name }) => names?.includes(name) ?? true);
    await Promise.all(machines.map((machine) => this.#tell(machine, takeNames, content)));
  }

  /** Runs a shell line on a machine. One that cannot take it does without. */
  async #tell({ name, address }: MachineRecord, line: string, input?: string): Promise<void> {
    const runs = (await this.folder(name)) !== undefined && !(await this.isPaused(name));
    if (!runs || !(await greets(address, { timeoutMs: 1000 }))) return;
    const argv = await this.execCommand(name, ["sh", "-c", line]).catch(ignoreUnable);
    const options = {
      timeoutMs: greetingMs * this.slowness,
      group: true,
      ...(input !== undefined && { input }),
    };
    if (argv !== undefined) await tryCommand(argv, options);
  }
}

const takeNames = `cat >${hostsFile}.new && mv ${hostsFile}.new ${hostsFile}`;

/** The kernel's clock stood still with the machine; the firmware's is the host's, and went on. */
const setClock = "date --set=@$(cat /sys/class/rtc/rtc0/since_epoch)";

// Nobody in the machine listens to a power button: logind is not there.
const powerOff = "systemctl start --no-block --job-mode=replace-irreversibly poweroff.target".split(" ");

/** Where QEMU's own words are. */
function emulatorLog({ folder }: MachinePaths): string {
  return join(folder, "emulator.log");
}

/** A machine that cannot answer right now is no failure. */
function ignoreUnable(error: unknown): undefined {
  if (error instanceof KeelError && ["KEEL-303", "KEEL-311"].includes(error.code)) return undefined;
  throw error;
}
