// Servers that are measured, each a process of its own that ends with the benchmark.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureDebianPackages } from "../../test/support/debian-packages.ts";

export interface Measured extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  readonly folder: string;
}

/** Ticks of a second in /proc (sysconf(_SC_CLK_TCK), 100 on every Linux that Node runs on). */
const TICKS = 100;

/** Processor time of a process with all its threads so far, in microseconds. */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / TICKS;
}

const flags = ["--disable-warning=ExperimentalWarning"];

/** Bytes of memory that a process has. */
export function memoryOf(pid: number): number {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kibibytes) * 1024;
}

/** Starts a program of this folder that prints its port. Its first argument is a name in a new folder. */
export async function program(name: string, state: string, ...more: readonly string[]): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-bench-"));
  const argv = [...flags, join(import.meta.dirname, name), join(folder, state), ...more];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return measured(child, Number(line), folder);
}

/** nginx with one process that answers everything with a fixed text of the length of our answer. */
export async function nginx(text: string): Promise<Measured | undefined> {
  await ensureDebianPackages(["nginx-light"]);
  const folder = await mkdtemp(join(tmpdir(), "keelson-bench-"));
  const port = await freePort();
  const lines = [
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log crit;`,
    "events { worker_connections 1024; }",
    `http { access_log off; keepalive_requests 1000000; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;`,
    `  server { listen 127.0.0.1:${port}; location / { default_type text/xml; return 200 '${text.replaceAll("'", "")}'; } } }`,
  ];
  await writeFile(join(folder, "nginx.conf"), lines.join("\n"));
  const child = spawn("/usr/sbin/nginx", ["-c", join(folder, "nginx.conf"), "-p", folder], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  const failed = new Promise<boolean>((resolve) => child.once("error", () => resolve(true)));
  if (await Promise.race([failed, sleep(500, false)])) {
    await rm(folder, { recursive: true, force: true });
    return undefined;
  }
  return measured(child, port, folder);
}

function measured(child: ChildProcess, port: number, folder: string): Measured {
  return {
    port,
    pid: child.pid ?? 0,
    folder,
    async [Symbol.asyncDispose]() {
      const ended = child.exitCode === null ? once(child, "close") : undefined;
      child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** What a run of the machines cost and saw. */
export interface Run {
  readonly answered: number;
  readonly refused: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of the server's processor time for each request. */
  readonly cpu: number;
}

export interface Load {
  readonly requests: number;
  readonly connections?: number;
  /** Requests a second; as many as go when left out. */
  readonly perSecond?: number;
  /** Machines that check in turns; each checks once when left out. */
  readonly machines?: number;
}

/** Lets machines check, and measures the server meanwhile. */
export async function run({ port, pid }: Measured, load: Load): Promise<Run> {
  const { requests, connections = 64, perSecond = 0, machines = requests } = load;
  const argv = [...flags, join(import.meta.dirname, "load-main.ts")];
  const numbers = [port, connections, requests, perSecond, machines].map(String);
  const before = cpuOf(pid);
  const child = spawn(process.execPath, [...argv, ...numbers], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
  const [code] = (await once(child, "close")) as [number];
  if (code !== 0) throw new Error("the machines could not check");
  const cpu = (cpuOf(pid) - before) / requests;
  return { ...(JSON.parse(text) as Omit<Run, "cpu">), cpu };
}
