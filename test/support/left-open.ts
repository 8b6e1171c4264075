// Loaded before each file of tests, so that nothing outlives a run. A test that leaves something open, as one that
// fails easily does, would keep its process, and so the whole run, from ending: what is left open is named, and fails
// the file. A file whose runner is gone ends, and with it what it started.
import { after } from "node:test";

const GRACE_MS = 60_000;
const LOOK_MS = 1000;

const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit(1);
}, LOOK_MS).unref();

after(() => {
  setTimeout(() => {
    console.error(`left open by a test: ${process.getActiveResourcesInfo().join(", ")}`);
    process.exit(1);
  }, GRACE_MS).unref();
});
