// Every package's own tests, in one process: starting a process for each file costs more than running it.
import { globSync } from "node:fs";
import { resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

for (const file of globSync(["packages/*/test/**/*.test.ts", "test/scenarios/*.test.ts"], {
  cwd: root,
}).toSorted())
  await import(resolve(root, file));
