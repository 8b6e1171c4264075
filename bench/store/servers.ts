// The two servers that are compared, each as a process of its own: the embedded one as the bundle that is
// shipped, and etcd.

import { execFile } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { rolldown } from "rolldown";
import { RangeRequestSchema } from "../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { spawnBound } from "../../packages/etcd/test/bound-process.ts";
import { freePort } from "../../packages/etcd/test/free-port.ts";
import { etcd35 } from "../../test/store/support/servers.ts";
import type { Address } from "./connection.ts";
import { load } from "./load.ts";

const CLOCK_TICKS = 100;
const START_MS = 60_000;
const RANGE = "/etcdserverpb.KV/Range";

export interface Server extends AsyncDisposable {
  readonly address: Address;
  /** User and system time so far, in seconds. */
  cpu(): number;
  /** VmRSS in MiB. */
  memory(): number;
  /** Kills it and starts it again on the same directory. Milliseconds until it answered. */
  restart(): Promise<number>;
}

export interface Pair extends AsyncDisposable {
  readonly ours: Server;
  readonly real: Server;
}

interface Certificates {
  readonly ca: Buffer;
  readonly certificate: string;
  readonly key: string;
}

/** Makes what is needed to start both servers, in a directory that goes with it. */
export class Workshop implements AsyncDisposable {
  readonly #directory: string;
  readonly #etcd: string;
  readonly #certificates: Certificates;

  private constructor(directory: string, parts: { etcd: string; certificates: Certificates }) {
    this.#directory = directory;
    this.#etcd = parts.etcd;
    this.#certificates = parts.certificates;
  }

  static async open(): Promise<Workshop> {
    const tools = await etcd35();
    if ("unavailable" in tools) throw new Error(tools.unavailable);
    const directory = await mkdtemp(join(tmpdir(), "keelson-bench-"));
    await using build = await rolldown({
      input: join(import.meta.dirname, "embedded-main.ts"),
      platform: "node",
      logLevel: "silent",
    });
    await build.write({ file: join(directory, "embedded.mjs"), format: "esm" });
    return new Workshop(directory, { etcd: tools.etcd, certificates: await makeCertificates(directory) });
  }

  /** Starts both, each with a new directory. */
  async pair(options: { readonly tls?: boolean } = {}): Promise<Pair> {
    const tls = options.tls ?? false;
    const ours = await this.start("embedded", tls);
    const real = await this.start("etcd", tls);
    return {
      ours,
      real,
      async [Symbol.asyncDispose]() {
        await ours[Symbol.asyncDispose]();
        await real[Symbol.asyncDispose]();
      },
    };
  }

  async start(which: "embedded" | "etcd", tls: boolean): Promise<Server> {
    const data = await mkdtemp(join(this.#directory, "data-"));
    const [port, peerPort] = [await freePort(), await freePort()];
    const { certificate, key } = this.#certificates;
    const files = tls ? [certificate, key] : [];
    const argv =
      which === "embedded"
        ? [join(this.#directory, "embedded.mjs"), data, String(port), ...files]
        : etcdArguments(data, { port, peerPort }, files);
    const program = which === "embedded" ? process.execPath : this.#etcd;
    const ca = tls ? this.#certificates.ca : undefined;
    const server = new ServerProcess({ program, argv, data, address: { port, ca } });
    await server.restart();
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

interface ServerParts {
  readonly program: string;
  readonly argv: readonly string[];
  readonly data: string;
  readonly address: Address;
}

class ServerProcess implements Server {
  readonly address: Address;
  readonly #parts: ServerParts;
  #child: ChildProcess | undefined;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.address = parts.address;
  }

  async restart(): Promise<number> {
    await this.#kill();
    const began = performance.now();
    const child = spawnBound([this.#parts.program, ...this.#parts.argv], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    this.#child = child;
    for (;;) {
      if (child.exitCode !== null) throw new Error(`${this.#parts.program} ended with ${child.exitCode}`);
      if (await isServing(this.address)) return performance.now() - began;
      if (performance.now() - began > START_MS) throw new Error(`${this.#parts.program} does not serve`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  cpu(): number {
    const fields = readFileSync(`/proc/${this.#pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
  }

  memory(): number {
    const status = readFileSync(`/proc/${this.#pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kill();
    await rm(this.#parts.data, { recursive: true, force: true });
  }

  get #pid(): number {
    return this.#child?.pid ?? 0;
  }

  async #kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }
}

async function isServing(address: Address): Promise<boolean> {
  const messages = [toBinary(RangeRequestSchema, create(RangeRequestSchema, { key: Buffer.from("there") }))];
  try {
    await load({ address, path: RANGE, messages, clients: 1, calls: 1, milliseconds: 1000 });
    return true;
  } catch {
    return false;
  }
}

function etcdArguments(
  data: string,
  { port, peerPort }: { readonly port: number; readonly peerPort: number },
  [certificate, key]: readonly string[],
): string[] {
  const client = `${certificate === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  return [
    `--data-dir=${data}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    "--log-level=fatal",
    ...(certificate === undefined ? [] : [`--cert-file=${certificate}`, `--key-file=${key}`]),
  ];
}

async function makeCertificates(directory: string): Promise<Certificates> {
  const [certificate, key] = [join(directory, "server.pem"), join(directory, "server-key.pem")];
  const argv = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
  await promisify(execFile)("openssl", [...argv, "-keyout", key, "-out", certificate, ...subject]);
  return { ca: await readFile(certificate), certificate, key };
}
