// A real cluster for a suite or a benchmark: made by `keel up`, driven by `keel`, watched from the host.
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { request } from "node:http";
import { resolve } from "node:path";
import type { SnapshotView } from "../../packages/keelson/src/api/wire/snapshot.ts";
import { LocalCluster } from "../../packages/keelson/src/local/cluster.ts";

const root = resolve(import.meta.dirname, "../..");
const main = resolve(root, "packages/keelson/src/cli/main.ts");

export interface KeelResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** Runs `keel` and waits for it; never throws for an exit code. */
export function keel(
  args: readonly string[],
  options: {
    readonly input?: string | Uint8Array;
    readonly timeoutMs?: number;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<KeelResult> {
  return new Promise((done, fail) => {
    const started = performance.now();
    const child = spawn(process.execPath, [main, ...args], {
      cwd: root,
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
      timeout: options.timeoutMs ?? 300_000,
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.on("error", fail);
    child.on("close", (code, signal) => {
      const stderr = Buffer.concat(err).toString() + (signal === null ? "" : `ended by ${signal}`);
      done({
        status: code ?? 255,
        stdout: Buffer.concat(out).toString(),
        stderr,
        ms: performance.now() - started,
      });
    });
    // It may end without having read its input.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}

/** A cluster under a name of its own. Whoever makes it takes it down. */
export class Cluster {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  get socket(): string {
    return `/run/keelson/${this.name}/api.sock`;
  }

  /** Runs `keel` on this cluster; throws with what it printed unless it ends with `expect`. */
  async keel(
    args: readonly string[],
    options: { readonly input?: string; readonly expect?: number; readonly timeoutMs?: number } = {},
  ): Promise<KeelResult> {
    const [command = "", ...rest] = args;
    const result = await keel([command, "--cluster", this.name, ...rest], options);
    if (result.status !== (options.expect ?? 0))
      throw new Error(`keel ${args.join(" ")} ended with ${result.status}\n${result.stdout}${result.stderr}`);
    return result;
  }

  /** A call of the API over the daemon's socket. */
  api(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    return new Promise((done, fail) => {
      const headers = { "content-type": "application/json" };
      const call = request({ socketPath: this.socket, method, path, headers, timeout: 60_000 }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          let json: unknown = text;
          try {
            json = JSON.parse(text);
          } catch {
            // Some answers are no JSON: a unit file, metrics.
          }
          done({ status: answer.statusCode ?? 0, body: json });
        });
      });
      call.on("error", fail);
      call.on("timeout", () => call.destroy(new Error(`${method} ${path}: no answer within 60 s`)));
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async snapshot(): Promise<SnapshotView> {
    const { status, body } = await this.api("GET", "/v1/snapshot");
    if (status !== 200) throw new Error(`GET /v1/snapshot: ${status} ${JSON.stringify(body)}`);
    return body as SnapshotView;
  }

  /** Waits until the snapshot satisfies a condition; resolves with it and the milliseconds it took. */
  async until(
    what: string,
    condition: (snapshot: SnapshotView) => boolean,
    timeoutMs = 240_000,
    everyMs = 50,
  ): Promise<{ readonly snapshot: SnapshotView; readonly ms: number }> {
    const started = performance.now();
    let last: SnapshotView | undefined;
    let cause: unknown;
    while (performance.now() - started < timeoutMs) {
      try {
        last = await this.snapshot();
        if (condition(last)) return { snapshot: last, ms: performance.now() - started };
        cause = undefined;
      } catch (error) {
        cause = error;
      }
      await sleep(everyMs);
    }
    throw new Error(`not within ${timeoutMs} ms: ${what}\n${describe(last)}`, { cause });
  }

  /** Submits unit files and asks for them to run, without waiting. */
  async start(
    files: Readonly<Record<string, string>>,
    extra: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    const intent = {
      kind: "submit",
      desired: "launched",
      files: Object.entries(files).map(([name, text]) => ({
        name,
        body: Buffer.from(text).toString("base64"),
      })),
      ...extra,
    };
    await this.operate(intent);
  }

  async destroy(names: readonly string[]): Promise<void> {
    await this.operate({ kind: "destroy", units: { names } });
  }

  /** Destroys all units and waits until nothing of them runs. */
  async clear(): Promise<void> {
    const { units } = await this.snapshot();
    if (units.length > 0) await this.destroy(units.map(({ name }) => name));
    await this.until("everything gone", ({ instances }) => instances.length === 0);
  }

  /**
   * Runs a shell line on the machine, from the host and whatever the cluster knows of the machine; resolves with what
   * it printed. Throws unless it ends well.
   */
  async inside(machine: string, line: string): Promise<string> {
    const provider = await new LocalCluster(this.name).machines();
    const { code, stdout, stderr } = await provider.exec(machine, ["sh", "-c", line], { timeoutMs: 120_000 });
    if (code !== 0) throw new Error(`${machine}: ${line}\nended with ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** An operation with everything confirmed that a guard may ask for. */
  async operate(intent: Readonly<Record<string, unknown>>): Promise<{ readonly id: string }> {
    const { status, body } = await this.api("POST", "/v1/operations", {
      intent,
      confirm: { maxImpact: 100, scope: this.name },
      who: "test",
      via: "test",
    });
    if (status !== 201)
      throw new Error(`${JSON.stringify(intent).slice(0, 200)}: ${status} ${JSON.stringify(body)}`);
    return body as { id: string };
  }

  async down(): Promise<KeelResult> {
    return keel(["down", "--cluster", this.name]);
  }
}

function describe(snapshot: SnapshotView | undefined): string {
  if (!snapshot) return "no snapshot";
  const machines = snapshot.machines.map((machine) => `${machine.name} ${machine.state}`);
  const instances = snapshot.instances
    .slice(0, 20)
    .map(
      (instance) =>
        `${instance.name} on ${instance.machineName ?? "nothing"}: ${instance.state} ${instance.reason}`,
    );
  return [...machines, ...instances].join("\n");
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** A unit that does nothing but be found: the name of its process holds the unit's. */
export function probeUnit(extra = ""): string {
  return `[Unit]\nDescription=probe %n\n\n[Service]\nExecStart=@/usr/bin/sleep keelson-probe:%n infinity\n${extra}`;
}

export interface RunningProbe {
  readonly unit: string;
  readonly pid: number;
  /** The machine's name, from its cgroup on the host. */
  readonly machine: string;
}

/** Every probe that runs on any machine of the cluster, seen from the host and so through any partition. */
export function runningProbes(cluster: string): RunningProbe[] {
  const probes: RunningProbe[] = [];
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    try {
      const unit = /^keelson-probe:([^\0]+)\0/.exec(readFileSync(`/proc/${pid}/cmdline`, "utf8"))?.[1];
      if (unit === undefined) continue;
      const machine = machineOf(cluster, pid);
      if (machine !== undefined) probes.push({ unit, pid, machine });
    } catch {
      // The process ended meanwhile.
    }
  }
  return probes;
}

/** The machine, or `host.NAME`, in whose cgroup a process runs; undefined when it is not the cluster's. */
function machineOf(cluster: string, pid: number): string | undefined {
  const text = readFileSync(`/proc/${pid}/cgroup`, "utf8");
  const scope = new RegExp(`keelson[/.]${cluster}[/.]((?:machine|host)\\.[^/\\n]+)`).exec(text)?.[1];
  return scope?.replace(/^machine\./, "").replace(/\.service$/, "");
}

/** Processes of the cluster whose arguments match, with the machine (or `host.NAME`) they run on. */
export function processes(
  cluster: string,
  pattern: RegExp,
): { readonly pid: number; readonly machine: string; readonly command: string }[] {
  const found = [];
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      if (!pattern.test(command)) continue;
      const machine = machineOf(cluster, pid);
      if (machine !== undefined) found.push({ pid, machine, command });
    } catch {
      // The process ended meanwhile.
    }
  }
  return found;
}

/** Watches the probes until stopped and keeps every moment in which a unit ran on two machines at once. */
export class DoubleWatch {
  readonly doubles: { readonly unit: string; readonly machines: readonly string[]; readonly atMs: number }[] =
    [];
  samples = 0;
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(cluster: string) {
    this.#running = this.#watch(cluster);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #watch(cluster: string): Promise<void> {
    const started = performance.now();
    while (!this.#stopped) {
      const seen = new Map<string, Set<string>>();
      for (const probe of runningProbes(cluster))
        seen.set(probe.unit, (seen.get(probe.unit) ?? new Set()).add(probe.machine));
      for (const [unit, machines] of seen) {
        if (machines.size > 1)
          this.doubles.push({ unit, machines: [...machines], atMs: performance.now() - started });
      }
      this.samples++;
      await sleep(100);
    }
  }
}
