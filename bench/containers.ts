// How fast containers start on many machines, beside podman alone on the same machines: the same Quadlets, the same
// image, in the same run. Both are seen from the host, by the containers' own processes.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildHelloImage, helloImage } from "../examples/hello/image.ts";
import { Cluster, processes, sleep } from "../test/support/cluster.ts";
import { machineTree } from "../test/support/machines.ts";
import type { BenchResult } from "./result.ts";
import { median } from "./statistics.ts";

const machines = Number(process.env["KEELSON_BENCH_MACHINES"] ?? 20);
const containers = Number(process.env["KEELSON_BENCH_CONTAINERS"] ?? 400);
const rounds = 2;
const patienceMs = 900_000;
/** One name, so that a run takes away what one that was killed has left. */
const cluster = new Cluster("bench-containers");
const names = Array.from({ length: machines }, (_, i) => `m${i + 1}`);
const perMachine = Math.ceil(containers / machines);
/** Long enough, and found in no other process. */
const marker = "1000041";
const quadlet = `[Container]\nImage=${helloImage}\nExec=sleep ${marker}\nLogDriver=none\nStopTimeout=1\n`;

const running = (): number => processes(cluster.name, new RegExp(`^sleep ${marker} $`)).length;

export async function run(): Promise<BenchResult> {
  const stop = (): void => void cluster.down().finally(() => process.exit(1));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  await cluster.down();
  try {
    await cluster.keel(["up", "--machines", String(machines), "--no-example"], { timeoutMs: patienceMs });
    await distributeImage();
    const ours: number[] = [];
    const alone: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await byKeelson());
      alone.push(await byPodman());
      console.error(
        `round ${round + 1}: Keelson ${ours.at(-1)?.toFixed(1)} s, podman ${alone.at(-1)?.toFixed(1)} s`,
      );
    }
    const total = perMachine * machines;
    const rate = (seconds: readonly number[]): number => total / median(seconds);
    const words = (seconds: readonly number[]): string => seconds.map((s) => s.toFixed(1)).join(", ");
    return {
      name: "containers",
      how: `${total} containers on ${machines} machines (systemd-nspawn), ${perMachine} on each, ${rounds} rounds in turns; from the request to the last container's process, as the host sees it`,
      rows: [
        {
          what: "containers started",
          value: rate(ours),
          unit: "/s",
          reach: "at least 0.9 of podman",
          peer: rate(alone),
          peerName: "podman alone: the same Quadlets written, read and started on all machines at once",
          ratio: rate(ours) / rate(alone),
          note: `seconds: ${words(ours)}; podman ${words(alone)}`,
        },
      ],
    };
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop);
    await cluster.down();
  }
}

/** The image lies on every machine before anything is measured. */
async function distributeImage(): Promise<void> {
  const { busybox } = await machineTree({ keeld: true });
  const folder = await mkdtemp(join(tmpdir(), "keelson-bench-"));
  try {
    await writeFile(join(folder, "hello.tar"), await buildHelloImage(busybox));
    await cluster.keel(["image", "load", join(folder, "hello.tar")]);
  } finally {
    await rm(folder, { recursive: true });
  }
  await cluster.start({ "warm.container": `${quadlet}[X-Fleet]\nGlobal=yes\n` });
  await untilRunning(machines);
  await cluster.destroy(["warm.container"]);
  await untilRunning(0);
}

async function byKeelson(): Promise<number> {
  const began = performance.now();
  await cluster.start({ "load@.container": quadlet }, { replicas: perMachine * machines });
  await untilRunning(perMachine * machines);
  const seconds = (performance.now() - began) / 1000;
  await cluster.destroy(["load@.container"]);
  await untilRunning(0);
  return seconds;
}

/** Each machine writes the files, has systemd read them and starts all of its own, at the same moment. */
async function byPodman(): Promise<number> {
  const units = Array.from({ length: perMachine }, (_, i) => `alone-${i}`);
  const folder = "/run/containers/systemd";
  const at = Math.ceil(Date.now() / 1000) + 15;
  const script = [
    `while [ $(date +%s) -lt ${at} ]; do sleep 0.02; done`,
    `mkdir -p ${folder}`,
    `for unit in ${units.join(" ")}; do printf "${quadlet.replaceAll("\n", String.raw`\n`)}" > ${folder}/$unit.container; done`,
    "systemctl daemon-reload",
    `systemctl start ${units.join(" ")}`,
  ].join("; ");
  await onAll(`systemd-run --quiet --unit=alone-go sh -c '${script}'`);
  const leftMs = at * 1000 - Date.now();
  if (leftMs < 0) throw new Error("the machines were not told in time");
  await sleep(leftMs);
  const began = performance.now();
  await untilRunning(perMachine * machines);
  const seconds = (performance.now() - began) / 1000;
  await onAll(
    `systemctl stop ${units.join(" ")}; rm /run/containers/systemd/alone-*.container; systemctl daemon-reload`,
  );
  await untilRunning(0);
  return seconds;
}

/** A few at a time: each `keel ssh` is a process of its own. */
async function onAll(script: string): Promise<void> {
  const open = [...names];
  const work = async (): Promise<void> => {
    for (let name = open.pop(); name !== undefined; name = open.pop())
      await cluster.keel(["ssh", name, "--", "sh", "-c", script], { timeoutMs: patienceMs });
  };
  await Promise.all([work(), work(), work(), work()]);
}

async function untilRunning(count: number): Promise<void> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const now = running();
    if (now === count) return;
    if (performance.now() > end) throw new Error(`${now} containers run, and not ${count}`);
    await sleep(200);
  }
}
