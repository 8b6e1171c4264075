// Restores FILE into the store of a directory and kills itself at a step: killed-restore.ts DIRECTORY FILE STEP
import { createReadStream } from "node:fs";
import { EtcdServer } from "@keelson/etcd/server";
import { RunningRestore } from "../../src/backup/running-restore.ts";
import type { RestoredPlace } from "../../src/backup/running-restore.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";

const [dataDir = "", file = "", fatal = ""] = process.argv.slice(2);
let server: EtcdServer | undefined;
const place: RestoredPlace = {
  dataDir,
  get keys() {
    return server?.keys;
  },
  async start() {
    server = await EtcdServer.start({ dataDir, listen: [] });
  },
  async stop() {
    await server?.close();
    server = undefined;
  },
};
await place.start();
const restore = new RunningRestore({
  place,
  answers: () => Promise.resolve(),
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  reached(step) {
    if (step === fatal) process.kill(process.pid, "SIGKILL");
  },
});
const { id } = await restore.plan(createReadStream(file));
await restore.carryOut(id, () => undefined);
