// `./keel up` in a fresh clone with nothing cached: npm packages, the machine tree, the bundle, three machines and
// the example. An empty folder lies over the host's caches, in a mount namespace of its own.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Cluster } from "../test/support/cluster.ts";
import type { BenchResult } from "./result.ts";

const root = resolve(import.meta.dirname, "..");

const script = `set -eu
mkdir -p /var/cache/keelson "$WORK/cache" "$WORK/npm"
mount --bind "$WORK/cache" /var/cache/keelson
git clone --quiet "$ROOT" "$WORK/clone"
cd "$WORK/clone"
npm_config_cache="$WORK/npm" exec ./keel up --cluster "$CLUSTER"`;

export async function run(): Promise<BenchResult> {
  const work = mkdtempSync(join(tmpdir(), "keelson-bench-"));
  const cluster = new Cluster(`bench-new-${process.pid}`);
  try {
    // The path of npm's scripts would lend the clone this checkout's Node.
    const path = (process.env["PATH"] ?? "").split(":").filter((folder) => !folder.includes("node_modules"));
    const env = { ...process.env, PATH: path.join(":"), WORK: work, ROOT: root, CLUSTER: cluster.name };
    const started = performance.now();
    const { status } = spawnSync("unshare", ["--mount", "--propagation", "slave", "sh", "-c", script], {
      env,
      stdio: ["ignore", "ignore", "inherit"],
    });
    const seconds = (performance.now() - started) / 1000;
    if (status !== 0) throw new Error(`keel up ended with ${status}`);
    const { instances } = await cluster.snapshot();
    const healthy = instances.filter((instance) => instance.state === "healthy").length;
    return {
      name: "from-nothing",
      how: "a fresh clone, empty caches of npm and Keelson, Debian's packages on the host installed",
      rows: [
        {
          what: "`./keel up` to 3 machines and the example healthy",
          value: seconds,
          unit: "s",
          reach: "180 s",
          note: `${healthy} healthy instances`,
        },
      ],
    };
  } finally {
    await cluster.down();
    rmSync(work, { recursive: true, force: true });
  }
}
