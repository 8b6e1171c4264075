// The leader as a process of its own, so that its memory and processor time are nobody else's: ENDPOINT.
import { Metrics, type Gauge } from "../../packages/keelson/src/base/metrics.ts";
import { systemClock } from "../../packages/keelson/src/base/clock.ts";
import { createLog } from "../../packages/keelson/src/base/log.ts";
import { systemRandom } from "../../packages/keelson/src/base/random.ts";
import { Leader } from "../../packages/keelson/src/leader/leader.ts";
import { BodyCache } from "../../packages/keelson/src/registry/body-cache.ts";
import { ClusterView } from "../../packages/keelson/src/registry/cluster-view.ts";
import { EtcdStore } from "../../packages/keelson/src/registry/etcd-store.ts";
import { LeaderRecorder } from "./leader-recorder.ts";
import type { LeaderRequest } from "./messages.ts";
import { leaseSeconds } from "./shape.ts";

const [, , endpoint = ""] = process.argv;
const log = createLog((line) => process.stderr.write(line), "warn");
const common = { clock: systemClock, random: systemRandom, log };
const store = new EtcdStore({ endpoints: [endpoint], ...common });
const recorder = new LeaderRecorder(store);

class PassMetrics extends Metrics {
  override gauge(name: string, help: string): Gauge {
    const gauge = super.gauge(name, help);
    if (name !== "keelson_scheduler_pass_milliseconds") return gauge;
    return {
      set(value, labels) {
        recorder.notePass(value);
        gauge.set(value, labels);
      },
    };
  }
}

const leader = Leader.start({
  machine: "f".repeat(32),
  store: recorder,
  bodies: new BodyCache(recorder),
  machines: ClusterView.open(recorder, { scope: "machines", ...common }),
  leaseSeconds,
  leaderLeaseSeconds: 4,
  metrics: new PassMetrics(),
  duty: () => Promise.resolve(),
  ...common,
});

process.on("message", (request: LeaderRequest) => {
  if (request.kind === "reset") recorder.reset();
  else process.send?.(recorder.figures(leader.isLeading));
});
process.on("disconnect", () => process.exit(0));
