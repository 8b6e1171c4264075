// Every package's own tests, in one process: starting a process for each file costs more than running it.
// They only compute: machines that are under test at the same time go first.
import { globSync } from "node:fs";
import { setPriority } from "node:os";
import { resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

setPriority(2);
for (const file of globSync(["packages/*/test/**/*.test.ts", "test/scenarios/*.test.ts"], {
  cwd: root,
}).toSorted())
  await import(resolve(root, file));
