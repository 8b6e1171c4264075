// One boot under QEMU, and what the system says of itself: a unit that comes as a credential, the same in every
// system, prints it to the serial console.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseSockets } from "../../packages/keelson/src/cli/commands/os/overhead/listening.ts";
import { qemuCommand } from "../../packages/keelson/src/local/tree/tools-tree.ts";
import type { Bootable } from "./stock.ts";

export interface BootOptions {
  readonly tools: string;
  /** One processor whose instructions are counted; or two, and the clock on the wall. */
  readonly counted: boolean;
  /** What is written stays on the disk: the first boot of a new one. It ends with the machine's shutdown. */
  readonly keeps?: boolean;
  /** More credentials, by name. */
  readonly credentials?: Readonly<Record<string, string>>;
}

export interface BootFigures {
  /** From QEMU's start until systemd has started everything. */
  readonly wallSeconds: number;
  /** What the processors worked until then, waiting left out: where instructions are counted, one is a nanosecond. */
  readonly workSeconds: number;
  /** From the kernel's start to systemd's, and from there until everything is started, by the machine's clock. */
  readonly kernelSeconds: number;
  readonly userSeconds: number;
  readonly memoryTotal: number;
  readonly memoryAvailable: number;
  /** Of user space, without those that report. */
  readonly processes: readonly string[];
  /** Active, of every kind. */
  readonly units: readonly string[];
  /** `tcp 22`: those that can be reached from outside. */
  readonly ports: readonly string[];
  readonly state: string;
}

/** How long the system may settle before its memory is looked at, by its own clock. */
const settleSeconds = 15;
const patienceMs = 900_000;
const memoryMb = 1024;

const reportUnit = `[Unit]
Description=Report
[Service]
ExecStart=/bin/sh -c '\\
state=$$(systemctl is-system-running --wait); read -r uptime idle </proc/uptime; \\
echo "BENCH-UP $$state IDLE=$$idle UPTIME=$$uptime" >/dev/ttyS0; sleep ${settleSeconds}; { \\
systemctl show -p UserspaceTimestampMonotonic -p InitRDTimestampMonotonic -p FinishTimestampMonotonic; \\
systemctl list-units --state=active --plain --no-legend --no-pager | sed "s/^/UNIT /"; \\
grep -H . /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6; \\
grep -E "MemAvailable|MemTotal" /proc/meminfo; echo "SELF=$$$$"; \\
grep -H -E "^(Name|PPid|VmRSS):" /proc/[0-9]*/status 2>/dev/null; echo BENCH-END; } >/dev/ttyS0'
`;

/** The same, and then the end: a machine that was switched off in an orderly way. */
const firstBootUnit = `${reportUnit}ExecStopPost=/bin/systemctl --no-block poweroff\n`;

/** Boots once. Throws when the system has not reported in time, with the console's end. */
export async function bootOnce(system: Bootable, options: BootOptions): Promise<BootFigures> {
  const work = await mkdtemp(join(tmpdir(), "keelson-bench-"));
  const console_ = join(work, "console.log");
  const credentials: Record<string, string> = {
    ...options.credentials,
    "systemd.extra-unit.bench-report.service": options.keeps === true ? firstBootUnit : reportUnit,
  };
  const argv = [
    ...qemuCommand(options.tools, [work, dirname(system.disk), dirname(system.kernel)]),
    ...(options.counted
      ? // While the machine waits, its clock goes as the host's: were it put forward instead, a slow disk would let
        // every timeout pass.
        ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=on", "-smp", "1"]
      : ["-accel", "tcg,thread=multi", "-smp", "2"]),
    "-cpu",
    "max",
    "-m",
    String(memoryMb),
    "-machine",
    "q35",
    "-display",
    "none",
    "-no-reboot",
    "-drive",
    `file=${system.disk},if=virtio,format=raw,snapshot=${options.keeps === true ? "off" : "on"}`,
    "-netdev",
    "user,id=n,restrict=on",
    "-device",
    "virtio-net-pci,netdev=n",
    "-serial",
    `file:${console_}`,
    "-kernel",
    system.kernel,
    "-initrd",
    system.initrd,
    "-append",
    `${system.commandLine} systemd.wants=bench-report.service`,
    ...Object.entries(credentials).flatMap(([name, value]) => [
      "-smbios",
      `type=11,value=io.systemd.credential.binary:${name}=${Buffer.from(value).toString("base64")}`,
    ]),
  ];
  const started = performance.now();
  const [program = "", ...args] = argv;
  const child = spawn(program, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, TMPDIR: work },
  });
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => (words = (words + chunk.toString()).slice(-2000)));
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  try {
    let wallSeconds: number | undefined;
    for (;;) {
      const text = await readFile(console_, "latin1").catch(() => "");
      if (wallSeconds === undefined && text.includes("BENCH-UP "))
        wallSeconds = (performance.now() - started) / 1000;
      const isReported = text.includes("BENCH-END");
      const hasEnded = child.exitCode !== null;
      if (isReported && (hasEnded || options.keeps !== true)) return figures(text, wallSeconds ?? 0);
      const isOver = hasEnded || performance.now() - started > patienceMs;
      if (isOver) throw new Error(`no report: ${words}\n${text.slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    child.kill("SIGKILL");
    await ended;
    await rm(work, { recursive: true, force: true });
  }
}

/** The report of a console. */
export function figures(text: string, wallSeconds: number): BootFigures {
  const report = text.slice(text.indexOf("BENCH-UP "));
  const number = (pattern: RegExp): number => Number(pattern.exec(report)?.[1] ?? Number.NaN);
  const finish = number(/FinishTimestampMonotonic=(\d+)/);
  const user = number(/UserspaceTimestampMonotonic=(\d+)/);
  const initrd = number(/InitRDTimestampMonotonic=(\d+)/);
  const kernelEnd = initrd > 0 ? initrd : user;
  return {
    wallSeconds,
    workSeconds: number(/UPTIME=([\d.]+)/) - number(/IDLE=([\d.]+)/),
    kernelSeconds: kernelEnd / 1e6,
    userSeconds: (finish - kernelEnd) / 1e6,
    memoryTotal: number(/MemTotal:\s+(\d+) kB/) * 1024,
    memoryAvailable: number(/MemAvailable:\s+(\d+) kB/) * 1024,
    processes: processesOf(report),
    units: [...report.matchAll(/^UNIT (\S+)/gm)].map(([, name = ""]) => name),
    ports: [...new Set((["tcp", "udp"] as const).flatMap((protocol) => portsOf(report, protocol)))],
    state: /BENCH-UP (\S+)/.exec(report)?.[1] ?? "unknown",
  };
}

function portsOf(report: string, protocol: "tcp" | "udp"): readonly string[] {
  const lines = [...report.matchAll(new RegExp(`^/proc/net/${protocol}6?:(.*)$`, "gm"))];
  return parseSockets(lines.map(([, line = ""]) => line.trimEnd()).join("\n"), protocol);
}

/** Names of what has memory of its own, kernel threads have none; the reporter and its children are left out. */
function processesOf(report: string): readonly string[] {
  const found = new Map<string, { name: string; parent: string; isUser: boolean }>();
  for (const [, pid = "", field, value = ""] of report.matchAll(
    /^\/proc\/(\d+)\/status:(Name|PPid|VmRSS):\s+(\S+)/gm,
  )) {
    const entry = found.get(pid) ?? { name: "", parent: "", isUser: false };
    if (field === "Name") entry.name = value;
    else if (field === "PPid") entry.parent = value;
    else entry.isUser = true;
    found.set(pid, entry);
  }
  const self = /SELF=(\d+)/.exec(report)?.[1] ?? "";
  return [...found]
    .filter(([pid, { parent, isUser }]) => isUser && pid !== self && parent !== self)
    .map(([, { name }]) => name);
}
