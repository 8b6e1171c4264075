// One real virtual machine for a test: booted from a disk image that it does not change, driven over SSH and by its
// console, cut off like a machine that loses power. It ends with the test, however the test ends.
import { once } from "node:events";
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { spawnBound } from "../../../packages/etcd/test/bound-process.ts";
import { runCommand, tryCommand } from "../../../packages/keelson/src/local/command.ts";
import type { CommandResult } from "../../../packages/keelson/src/local/command.ts";
import { chooseAccelerator } from "../../../packages/keelson/src/local/qemu/accelerator.ts";
import type { Accelerator } from "../../../packages/keelson/src/local/qemu/accelerator.ts";
import { ControlSocket } from "../../../packages/keelson/src/local/qemu/control-socket.ts";
import type { ControlEvent } from "../../../packages/keelson/src/local/qemu/control-socket.ts";
import {
  emulatorArguments,
  hostCableAddress,
  hostCableGateway,
} from "../../../packages/keelson/src/local/qemu/virtual-machine.ts";
import type {
  Disk,
  Firmware,
  VirtualMachine,
} from "../../../packages/keelson/src/local/qemu/virtual-machine.ts";
import { ensureKeyPair } from "../../../packages/keelson/src/local/ssh-keys.ts";
import { qemuCommand, runTool, toolsTree } from "../../../packages/keelson/src/local/tree/tools-tree.ts";

const repository = resolve(import.meta.dirname, "../../..");

export interface BootOptions {
  /** The machine writes to an overlay of its own over it. None: the machine has only `disks`. */
  readonly image?: string;
  /** As QEMU calls it; `raw` unless given. */
  readonly imageFormat?: string;
  /** The first disk's size, at least the image's; larger, to see the state partition grow. */
  readonly diskBytes?: number;
  /** Disks behind the first, written to as they are. */
  readonly disks?: readonly Disk[];
  /** systemd's credentials by name. `ssh.authorized_keys.root` and `network.network.50-cable` are there unless given. */
  readonly credentials?: Readonly<Record<string, string | Uint8Array>>;
  /** Other entries of QEMU's firmware configuration device: `opt/…`. */
  readonly firmwareFiles?: Readonly<Record<string, string | Uint8Array>>;
  /** UEFI unless `bios`; or code and variables (a template that is copied), for Secure Boot. */
  readonly firmware?: "uefi" | "bios" | Firmware;
  readonly kernel?: VirtualMachine["kernel"];
  readonly memoryBytes?: number;
  readonly processors?: number;
  /** The private key whose owner a disk already knows; one of its own unless given. */
  readonly key?: string;
  /** False: it gets no network configuration and no key, as a machine that is to find its own. */
  readonly configured?: boolean;
  /** Lets it reach servers on the host's loopback, as 10.0.2.2, and the world. */
  readonly outward?: boolean;
  /** More of QEMU's arguments: a watchdog, SMBIOS strings, `-icount`. */
  readonly arguments?: readonly string[];
  /** Folders that such arguments name. */
  readonly binds?: readonly string[];
}

export interface WaitOptions {
  readonly timeoutMs?: number;
}

let chosen: Promise<Accelerator> | undefined;

/** The tree with QEMU, OVMF and the programs that make images. Built once, told on stderr. */
export function testTools(): Promise<string> {
  return toolsTree({ repository });
}

/** What this host runs machines with; tried once. */
export async function testAccelerator(): Promise<Accelerator> {
  chosen ??= chooseAccelerator({ emulator: qemuCommand(await testTools(), []) });
  return await chosen;
}

/** Bytes by name in the tree that firmware comes from. */
const uefi = { code: "/usr/share/OVMF/OVMF_CODE_4M.fd", variables: "/usr/share/OVMF/OVMF_VARS_4M.fd" };
const defaultBootMs = 60_000;

const networkFile = `[Match]
Type=ether

[Network]
Address=${hostCableAddress}/24
Gateway=${hostCableGateway}
LinkLocalAddressing=no
IPv6AcceptRA=no
`;

export class TestMachine implements AsyncDisposable {
  /** The machine's files: disk.qcow2, console.log, … */
  readonly folder: string;
  readonly accelerator: Accelerator;
  readonly #tree: string;
  readonly #options: BootOptions;
  readonly #events: ControlEvent[] = [];
  #child: ChildProcess | undefined;
  #control: ControlSocket | undefined;
  #sshPort = 0;

  private constructor(
    folder: string,
    options: BootOptions,
    tools: { readonly tree: string; readonly accelerator: Accelerator },
  ) {
    this.folder = folder;
    this.accelerator = tools.accelerator;
    this.#tree = tools.tree;
    this.#options = options;
  }

  /** Makes a machine and turns it on. Use `await using`, or dispose of it. */
  static async boot(options: BootOptions): Promise<TestMachine> {
    const tools = { tree: await testTools(), accelerator: await testAccelerator() };
    const folder = await mkdtemp(join(tmpdir(), "keelson-machine-"));
    const machine = new TestMachine(folder, options, tools);
    try {
      await machine.#makeFiles();
      await machine.start();
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  get console(): string {
    return join(this.folder, "console.log");
  }

  /** The overlay that holds what the machine has written. */
  get disk(): string {
    return join(this.folder, "disk.qcow2");
  }

  /** Turns it on again, with the disks and firmware variables as they are. */
  async start(): Promise<void> {
    if (this.isOn) throw new Error("the machine is on");
    const socket = join(this.folder, "control");
    await rm(socket, { force: true });
    const argv = [
      ...qemuCommand(this.#tree, this.#binds()),
      ...emulatorArguments(this.#machine()),
      ...(this.#options.arguments ?? []),
    ];
    let words = "";
    const child = spawnBound(["nice", "-n", "5", ...argv], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => void (words = (words + text).slice(-4000)));
    this.#child = child;
    this.#control = await this.#openControl(socket, () => words);
    this.#sshPort = await this.#forwardedPort();
  }

  get isOn(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What the serial console has printed so far, over all boots. */
  consoleText(): Promise<string> {
    return readFile(this.console, "utf8").catch(() => "");
  }

  /** Waits until the console has printed a text, from a place in it; returns the match with the place behind it. */
  async untilConsole(
    pattern: RegExp,
    { timeoutMs = defaultBootMs, from = 0 }: WaitOptions & { readonly from?: number } = {},
  ): Promise<{ readonly match: RegExpExecArray; readonly end: number }> {
    const end = this.#endOf(timeoutMs);
    for (;;) {
      const on = this.isOn;
      const text = (await this.consoleText()).slice(from);
      const match = pattern.exec(text);
      if (match !== null) return { match, end: from + match.index + match[0].length };
      if (!on) throw await this.#failure(`went off before it printed ${pattern}`);
      if (performance.now() > end) throw await this.#failure(`did not print ${pattern} in time`);
      await sleep(100);
    }
  }

  /** Runs a shell line as root. Code 255 when it cannot be reached. */
  ssh(
    line: string,
    { timeoutMs = 60_000, input }: WaitOptions & { readonly input?: string } = {},
  ): Promise<CommandResult> {
    const options = ["BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=no", "LogLevel=ERROR"];
    options.push("UserKnownHostsFile=/dev/null", "ConnectTimeout=60", `ControlPath=${this.folder}/ssh`);
    options.push("ControlMaster=auto", "ControlPersist=20", "ServerAliveInterval=20");
    const argv = ["ssh", "-F", "none", "-i", join(this.folder, "id_ed25519")];
    argv.push(...options.flatMap((option) => ["-o", option]), "-p", String(this.#sshPort), "root@127.0.0.1");
    return tryCommand([...argv, "--", line], {
      timeoutMs: timeoutMs * this.accelerator.slowness,
      group: true,
      ...(input === undefined ? {} : { input }),
    });
  }

  /** Runs a shell line as root; throws unless it succeeds. Returns its output. */
  async sh(line: string, options: WaitOptions & { readonly input?: string } = {}): Promise<string> {
    const { code, stdout, stderr } = await this.ssh(line, options);
    if (code !== 0) throw new Error(`${line}\nended with ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Waits until it takes logins. */
  async untilSsh({ timeoutMs = defaultBootMs }: WaitOptions = {}): Promise<void> {
    const end = this.#endOf(timeoutMs);
    for (;;) {
      if (!this.isOn) throw await this.#failure("went off before it took logins");
      if ((await this.ssh("true", { timeoutMs: 15_000 })).code === 0) return;
      if (performance.now() > end) throw await this.#failure("does not take logins");
      await sleep(500);
    }
  }

  /** Waits until its systemd has started everything: `running`, or `degraded`. */
  async untilStarted(options: WaitOptions = {}): Promise<string> {
    await this.untilSsh(options);
    const { stdout } = await this.ssh("systemctl is-system-running --wait", options);
    return stdout.trim();
  }

  /** How often it has restarted since it was made, turning on not counted. */
  get restarts(): number {
    return this.#events.filter(({ event }) => event === "RESET").length;
  }

  /** Waits until it has restarted so often. */
  async untilRestarts(count: number, { timeoutMs = defaultBootMs }: WaitOptions = {}): Promise<void> {
    for (const end = this.#endOf(timeoutMs); this.restarts < count; await sleep(100)) {
      if (!this.isOn) throw await this.#failure("went off");
      if (performance.now() > end)
        throw await this.#failure(`restarted ${this.restarts} times, not ${count}`);
    }
  }

  /** Cuts its power: whatever it had not yet handed to the disk is lost. */
  async powerCut(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await this.#control?.[Symbol.asyncDispose]();
    this.#control = undefined;
  }

  /** Presses reset. */
  async reset(): Promise<void> {
    await this.control("system_reset");
  }

  /** Waits until it has turned itself off. */
  async untilOff({ timeoutMs = defaultBootMs }: WaitOptions = {}): Promise<void> {
    for (const end = this.#endOf(timeoutMs); this.isOn; await sleep(50))
      if (performance.now() > end) throw await this.#failure("did not turn itself off");
    await this.powerCut();
  }

  /** Runs a command of QEMU's control protocol. */
  async control(command: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#control === undefined) throw new Error("the machine is off");
    return await this.#control.run(command, parameters);
  }

  /** Cuts its power and removes its files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.powerCut();
    await rm(this.folder, { recursive: true, force: true });
  }

  #endOf(timeoutMs: number): number {
    return performance.now() + timeoutMs * this.accelerator.slowness;
  }

  async #failure(what: string): Promise<Error> {
    const lines = (await this.consoleText()).trimEnd().split("\n").slice(-40);
    return new Error(`the machine ${what}; its console ends with:\n${lines.join("\n")}`);
  }

  async #makeFiles(): Promise<void> {
    const {
      image,
      imageFormat: format,
      diskBytes: bytes,
      credentials = {},
      firmwareFiles = {},
      configured = true,
    } = this.#options;
    const key = join(this.folder, "id_ed25519");
    if (this.#options.key !== undefined)
      for (const part of ["", ".pub"]) await copyFile(this.#options.key + part, key + part);
    else await ensureKeyPair(key, "test");
    await writeFile(this.console, "");
    if (image !== undefined) await makeOverlay(this.#tree, { image, format, overlay: this.disk, bytes });
    const firmware = await this.#firmware();
    if (firmware !== undefined) await copyFile(firmware.template, join(this.folder, "variables.fd"));
    const own = configured
      ? {
          "network.network.50-cable": networkFile,
          "ssh.authorized_keys.root": await readFile(join(this.folder, "id_ed25519.pub"), "utf8"),
        }
      : {};
    await writeAll(join(this.folder, "credentials"), Object.entries({ ...own, ...credentials }));
    const numbered = Object.values(firmwareFiles).map((content, i) => [String(i), content] as const);
    await writeAll(join(this.folder, "firmware-files"), numbered);
  }

  async #firmware(): Promise<{ readonly code: string; readonly template: string } | undefined> {
    const { firmware = "uefi" } = this.#options;
    if (firmware === "bios") return undefined;
    if (firmware === "uefi") return { code: uefi.code, template: join(this.#tree, uefi.variables) };
    const inTree = join(this.#tree, firmware.variables);
    return { code: firmware.code, template: existsSync(inTree) ? inTree : firmware.variables };
  }

  #machine(): VirtualMachine {
    const { image, disks = [], credentials = {}, firmwareFiles = {}, firmware = "uefi" } = this.#options;
    const { kernel, configured = true, outward = false } = this.#options;
    const own = configured ? ["network.network.50-cable", "ssh.authorized_keys.root"] : [];
    const names = [...new Set([...own, ...Object.keys(credentials)])];
    return {
      name: basename(this.folder),
      accelerator: this.accelerator.name,
      memoryBytes: this.#options.memoryBytes ?? 2 ** 30,
      processors: this.#options.processors ?? 2,
      ...(firmware === "bios"
        ? {}
        : {
            firmware: {
              code: firmware === "uefi" ? uefi.code : firmware.code,
              variables: join(this.folder, "variables.fd"),
              ...(firmware !== "uefi" && firmware.secure === true ? { secure: true } : {}),
            },
          }),
      ...(kernel === undefined ? {} : { kernel }),
      disks: [...(image === undefined ? [] : [{ file: this.disk, format: "qcow2" } as const]), ...disks],
      cables: [{ kind: "host", hardwareAddress: "52:54:00:00:00:01", from: "127.0.0.1:0", to: 22, outward }],
      credentials: names.map((name) => ({ name, path: join(this.folder, "credentials", name) })),
      firmwareFiles: Object.keys(firmwareFiles).map((name, i) => ({
        name,
        path: join(this.folder, "firmware-files", String(i)),
      })),
      control: join(this.folder, "control"),
      console: this.console,
    };
  }

  #binds(): string[] {
    const { image, disks = [], kernel, firmware, binds = [] } = this.#options;
    const files = [image, kernel?.image, kernel?.initrd, ...disks.map(({ file }) => file)];
    if (typeof firmware === "object" && !existsSync(join(this.#tree, firmware.code)))
      files.push(firmware.code);
    const folders = files.filter((file) => file !== undefined).map((file) => dirname(resolve(file)));
    return [...new Set([this.folder, ...folders, ...binds])];
  }

  /** QEMU makes the socket before it listens on it: tried until it does. */
  async #openControl(socket: string, words: () => string): Promise<ControlSocket> {
    const onEvent = (event: ControlEvent): void => void this.#events.push(event);
    for (const end = performance.now() + 30_000; ; await sleep(20)) {
      try {
        return await ControlSocket.open(socket, { onEvent, timeoutMs: 30_000 });
      } catch (cause) {
        if (!this.isOn || performance.now() > end)
          throw new Error(`QEMU did not start: ${words()}`, { cause });
      }
    }
  }

  /** The port that QEMU chose for SSH, from its table of forwarded connections. */
  async #forwardedPort(): Promise<number> {
    const table = await this.control("human-monitor-command", { "command-line": "info usernet" });
    const port = /TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)/.exec(String(table))?.[1];
    if (port === undefined) throw new Error(`QEMU forwards no port: ${String(table)}`);
    return Number(port);
  }
}

/** A disk that holds only what differs from the image. */
export async function makeOverlay(
  tree: string,
  disk: {
    readonly image: string;
    readonly format?: string | undefined;
    readonly overlay: string;
    readonly bytes?: number | undefined;
  },
): Promise<void> {
  const image = resolve(disk.image);
  const { format = "raw", overlay } = disk;
  const argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", format, "-b", image, overlay];
  if (disk.bytes !== undefined) argv.push(String(disk.bytes));
  await runTool(tree, argv, { binds: [...new Set([dirname(image), dirname(disk.overlay)])] });
}

/** An empty raw disk that takes no room until it is written to. */
export async function emptyDisk(path: string, bytes: number): Promise<Disk> {
  await runCommand(["truncate", `--size=${bytes}`, path]);
  return { file: path, format: "raw" };
}

async function writeAll(
  folder: string,
  files: readonly (readonly [string, string | Uint8Array])[],
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, content] of files) await writeFile(join(folder, name), content, { mode: 0o600 });
}
