// The processes of a measured cluster: a store, a leader, and machines by the hundred. They end with the benchmark,
// however it ends.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { spawnBound } from "../../packages/etcd/test/bound-process.ts";
import { Workshop, type Server } from "../store/servers.ts";
import type { LeaderFigures, LeaderRequest, MachinesReport, MachinesRequest } from "./messages.ts";
import type { Shape } from "./shape.ts";

export type StoreKind = "embedded" | "etcd";

const clockTicks = 100;
const machinesPerProcess = 500;
const keeldUnit = join(import.meta.dirname, "../../os/root/usr/lib/systemd/system/keeld.service");

/** The programs, bundled as they are for machines, in a directory that goes with them. */
export class Programs implements AsyncDisposable {
  readonly #directory: string;
  readonly #stores: Workshop;

  private constructor(directory: string, stores: Workshop) {
    this.#directory = directory;
    this.#stores = stores;
  }

  static async open(): Promise<Programs> {
    const stores = await Workshop.open();
    const directory = await mkdtemp(join(tmpdir(), "keelson-bench-cluster-"));
    for (const name of ["leader-main", "machines-main"]) {
      await using build = await rolldown({
        input: join(import.meta.dirname, `${name}.ts`),
        platform: "node",
        logLevel: "silent",
      });
      await build.write({ file: join(directory, `${name}.mjs`), format: "esm", codeSplitting: false });
    }
    return new Programs(directory, stores);
  }

  /** Starts a store, a leader over it and the machines; resolves when all of them are registered. */
  async start(kind: StoreKind, shape: Shape): Promise<MeasuredCluster> {
    const store = await this.#stores.start(kind, false);
    const endpoint = `http://127.0.0.1:${store.address.port}`;
    const leader = this.#spawn("leader-main", [endpoint]);
    const cluster = new MeasuredCluster({ store, endpoint, leader });
    for (let first = 0; first < shape.machines; first += machinesPerProcess) {
      const count = Math.min(machinesPerProcess, shape.machines - first);
      cluster.add(this.#spawn("machines-main", [endpoint, String(first), String(count)]), first);
    }
    return cluster;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stores[Symbol.asyncDispose]();
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** As on a machine, and those of whoever measures, such as --cpu-prof. */
  get #leaderFlags(): readonly string[] {
    const unit = readFileSync(keeldUnit, "utf8");
    const shipped = /^ExecStart=\S+ (.*) \S+$/m.exec(unit)?.[1] ?? "";
    const more = process.env["KEELSON_BENCH_NODE_FLAGS"] ?? "";
    return `${shipped} ${more}`.split(" ").filter((flag) => flag !== "");
  }

  #spawn(name: string, argv: readonly string[]): ChildProcess {
    const own = name === "leader-main" ? this.#leaderFlags : [];
    return spawnBound([process.execPath, ...own, join(this.#directory, `${name}.mjs`), ...argv], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
  }
}

interface Crowd {
  readonly child: ChildProcess;
  readonly first: number;
  report: MachinesReport;
}

export class MeasuredCluster implements AsyncDisposable {
  readonly store: Server;
  readonly endpoint: string;
  readonly #leader: ChildProcess;
  readonly #crowds: Crowd[] = [];
  readonly #memory: number[] = [];
  readonly #sampling: NodeJS.Timeout;

  constructor(parts: { readonly store: Server; readonly endpoint: string; readonly leader: ChildProcess }) {
    this.store = parts.store;
    this.endpoint = parts.endpoint;
    this.#leader = parts.leader;
    this.#sampling = setInterval(() => this.#memory.push(this.leaderMemory()), 500);
  }

  add(child: ChildProcess, first: number): void {
    const crowd: Crowd = { child, first, report: { registered: 0, active: 0 } };
    child.on("message", (report: MachinesReport) => {
      crowd.report = report;
    });
    this.#crowds.push(crowd);
  }

  get registered(): number {
    return this.#crowds.reduce((sum, { report }) => sum + report.registered, 0);
  }

  /** Units that run, as the store says. */
  get active(): number {
    return this.#crowds.reduce((sum, { report }) => sum + report.active, 0);
  }

  /** A machine loses power. */
  lose(machine: number): void {
    const crowd = this.#crowds.findLast(({ first }) => first <= machine);
    crowd?.child.send({ kind: "lose", machine } satisfies MachinesRequest);
  }

  async figures(): Promise<LeaderFigures> {
    this.#leader.send({ kind: "figures" } satisfies LeaderRequest);
    const [figures] = (await once(this.#leader, "message")) as [LeaderFigures];
    return figures;
  }

  reset(): void {
    this.#leader.send({ kind: "reset" } satisfies LeaderRequest);
  }

  /** Seconds of processor time so far. */
  get leaderCpu(): number {
    return cpuOf(this.#leader);
  }

  get machinesCpu(): number {
    return this.#crowds.reduce((sum, { child }) => sum + cpuOf(child), 0);
  }

  /** MiB that are the leader's own: its proportional share. */
  leaderMemory(): number {
    try {
      const rollup = readFileSync(`/proc/${this.#leader.pid}/smaps_rollup`, "utf8");
      return Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) / 1024;
    } catch {
      return 0;
    }
  }

  /** The most so far, of two samples a second, in MiB. */
  get mostLeaderMemory(): number {
    return Math.max(0, ...this.#memory);
  }

  /** Waits for a condition; the seconds that took. */
  async until(what: string, holds: () => boolean | Promise<boolean>, seconds: number): Promise<number> {
    const began = performance.now();
    while (!(await holds())) {
      const waited = (performance.now() - began) / 1000;
      if (this.#leader.exitCode !== null) throw new Error(`the leader ended: ${what}`);
      if (waited > seconds)
        throw new Error(
          `not within ${seconds} s: ${what} (${this.registered} machines, ${this.active} units run)`,
        );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return (performance.now() - began) / 1000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sampling);
    for (const child of [this.#leader, ...this.#crowds.map((crowd) => crowd.child)]) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = once(child, "exit");
      // A profile is written by a process that ends in its own time.
      if (child === this.#leader) child.disconnect();
      else child.kill("SIGKILL");
      await exited;
    }
    await this.store[Symbol.asyncDispose]();
  }
}

function cpuOf({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / clockTicks;
}
