// The servers under test: the embedded one in this process, and etcd 3.5 of Debian trixie.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChannelCredentials } from "@grpc/grpc-js";
import { EtcdServer } from "../../../packages/etcd/src/server/index.ts";
import type { EtcdServerOptions } from "../../../packages/etcd/src/server/index.ts";
import { GRPC_STATUS } from "../../../packages/etcd/src/errors.ts";
import { KV } from "../../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { spawnBound } from "../../../packages/etcd/test/bound-process.ts";
import { freePort } from "../../../packages/etcd/test/free-port.ts";
import { trixieTools } from "../../support/trixie-tools.ts";
import { RawClient } from "./raw-client.ts";

/** How long a test waits for what has to come. No test may depend on it: a busy machine is slow. */
export const PATIENCE_MS = 30_000;

export interface TestServer extends AsyncDisposable {
  /** "host:port" */
  readonly address: string;
}

/** The embedded server with a directory of its own. */
export async function embedded(options: Partial<EtcdServerOptions> = {}): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), "keelson-embedded-"));
  const listen = [{ host: "127.0.0.1", port: 0 }];
  const server = await EtcdServer.start({ dataDir, listen, ...options }).catch(async (error: unknown) => {
    await rm(dataDir, { recursive: true, force: true });
    throw error;
  });
  return {
    address: `127.0.0.1:${server.addresses[0]?.port}`,
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export interface EtcdTools {
  readonly etcd: string;
  readonly etcdctl: string;
}

/** etcd 3.5 and its etcdctl, or why they cannot be had here. */
export async function etcd35(): Promise<EtcdTools | { readonly unavailable: string }> {
  const tools = await trixieTools(["etcd-server", "etcd-client"]);
  if ("unavailable" in tools) return tools;
  return { etcd: join(tools.root, "usr/bin/etcd"), etcdctl: join(tools.root, "usr/bin/etcdctl") };
}

/** Starts a real etcd with a directory of its own; with TLS if `secure` says how to speak it. */
export async function realEtcd(
  program: string,
  flags: readonly string[] = [],
  secure?: ChannelCredentials,
): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), "keelson-etcd-"));
  const [port, peerPort] = [await freePort(), await freePort()];
  const scheme = secure === undefined ? "http" : "https";
  const [client, peer] = [`${scheme}://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const argv = [
    `--data-dir=${dataDir}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    "--log-level=fatal",
    ...flags,
  ];
  const etcd = spawnBound([program, ...argv], { stdio: "ignore" });
  const exited = once(etcd, "exit");
  const end = async (): Promise<void> => {
    etcd.kill("SIGKILL");
    await exited;
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await untilServing(`127.0.0.1:${port}`, secure);
  } catch (error) {
    await end();
    throw error;
  }
  return { address: `127.0.0.1:${port}`, [Symbol.asyncDispose]: end };
}

/** Waits until a server answers. Throws when patience is over. */
export async function untilServing(address: string, secure?: ChannelCredentials): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    using client = new RawClient(address, secure === undefined ? {} : { credentials: secure });
    const answer = await client.call(KV.method.range, { key: Buffer.from("is it there") });
    // One that asks who is there serves too.
    if ("ok" in answer || answer.refused.code !== GRPC_STATUS.UNAVAILABLE) return;
    if (performance.now() > deadline) throw new Error(`${address} does not serve: ${answer.refused.message}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
