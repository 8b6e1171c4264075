// Three members of a real etcd on loopback: for what needs a cluster, but no faults of its network.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnBound } from "../../../packages/etcd/test/bound-process.ts";
import { freePort } from "../../../packages/etcd/test/free-port.ts";
import { untilServing } from "./servers.ts";

export interface LoopbackCluster extends AsyncDisposable {
  readonly addresses: readonly string[];
}

export async function loopbackCluster(program: string): Promise<LoopbackCluster> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-cluster-"));
  const members = [];
  for (const name of ["m1", "m2", "m3"]) {
    members.push({
      name,
      address: `127.0.0.1:${await freePort()}`,
      peer: `http://127.0.0.1:${await freePort()}`,
    });
  }
  const cluster = members.map(({ name, peer }) => `${name}=${peer}`).join(",");
  const running = members.map(({ name, address, peer }) => {
    const argv = [
      `--name=${name}`,
      `--data-dir=${join(folder, name)}`,
      `--listen-client-urls=http://${address}`,
      `--advertise-client-urls=http://${address}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=${cluster}`,
      "--log-level=fatal",
    ];
    return spawnBound([program, ...argv], { stdio: "ignore" });
  });
  const exits = running.map((member) => once(member, "exit"));
  const addresses = members.map(({ address }) => address);
  const end = async (): Promise<void> => {
    for (const member of running) member.kill("SIGKILL");
    await Promise.all(exits);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const address of addresses) await untilServing(address);
  } catch (error) {
    await end();
    throw error;
  }
  return { addresses, [Symbol.asyncDispose]: end };
}
