// Every package's own tests, in one process: starting a process for each file costs more than running it.
import { globSync } from "node:fs";
import { resolve } from "node:path";
import { after } from "node:test";

const root = resolve(import.meta.dirname, "../..");
const GRACE_MS = 10_000;

for (const file of globSync(["packages/*/test/**/*.test.ts", "test/scenarios/*.test.ts"], {
  cwd: root,
}).toSorted())
  await import(resolve(root, file));

// The process ends by itself when nothing is left open; what is would keep it for good.
after(() => {
  setTimeout(() => {
    console.error(`left open by a test: ${process.getActiveResourcesInfo().join(", ")}`);
    process.exit(1);
  }, GRACE_MS).unref();
});
