// One update of a machine in files, in a process of its own as a machine does it: `step.ts FOLDER URL VERSION`.
// Prints what it took, in seconds from the first request to the moment when a restart would start the new version,
// and the most memory that cannot be given back.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { systemClock } from "../../packages/keelson/src/base/clock.ts";
import { systemRandom } from "../../packages/keelson/src/base/random.ts";
import { DiskSlots } from "../../packages/keelson/src/updater/disk-slots/disk-slots.ts";
import { Records } from "../../packages/keelson/src/updater/records.ts";
import { HttpSource } from "../../packages/keelson/src/updater/sources/http-source.ts";
import { PartialFiles } from "../../packages/keelson/src/updater/sources/partial-file.ts";
import { TreeDisk } from "../../packages/keelson/src/updater/tree-slots/tree-disk.ts";
import { takeUpdateLock } from "../../packages/keelson/src/updater/update-lock.ts";
import { Updater } from "../../packages/keelson/src/updater/updater.ts";
import { osRelease, shippedRoot, slotBytes } from "./machine-in-files.ts";

const [folder = "", url = "", to = ""] = process.argv.slice(2);
const records = new Records(join(folder, "os"));
const trust = join(folder, "os/trust");
const updater = new Updater({
  slots: new DiskSlots(new TreeDisk(folder, slotBytes)),
  records,
  partials: new PartialFiles(join(folder, "os/download")),
  trustFiles: {
    shipped: join(folder, shippedRoot),
    folder: trust,
    memory: join(trust, "memory.json"),
    osRelease: join(folder, osRelease),
  },
  variant: () => Promise.resolve("vm"),
  failed: () => Promise.resolve([]),
  lock: () => takeUpdateLock(join(folder, "lock")),
  clock: systemClock,
  random: systemRandom,
});

let most = 0;
const watch = setInterval(() => {
  const kilobytes = /RssAnon:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  most = Math.max(most, Number(kilobytes ?? 0) * 1024);
}, 10);
const phases = new Map<string, number>();
const begin = performance.now();
const { how } = await updater.update(new HttpSource(url, { clock: systemClock }), {
  to,
  allowDowngrade: false,
  force: false,
  signal: new AbortController().signal,
  onProgress: ({ phase }) => void phases.set(phase, (performance.now() - begin) / 1000),
  onNote: (text) => console.error(text),
});
const seconds = (performance.now() - begin) / 1000;
clearInterval(watch);
console.log(JSON.stringify({ seconds, how, anonymousBytes: most, phases: Object.fromEntries(phases) }));
