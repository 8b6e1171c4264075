// `npm run bench -- NAME…`: runs benchmarks, prints their figures beside a peer's, and appends them to
// docs/benchmarks.md with the date and the machine.
import { appendFileSync, globSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import { renderMarkdown, renderText } from "./result.ts";
import type { BenchOptions, BenchResult } from "./result.ts";

const root = resolve(import.meta.dirname, "..");
const known = globSync("*.ts", { cwd: import.meta.dirname })
  .map((file) => basename(file, ".ts"))
  .filter((name) => !["run", "result", "statistics", "bench-unit"].includes(name))
  .toSorted();
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    "no-write": { type: "boolean" },
    only: { type: "string" },
    plain: { type: "boolean" },
    rounds: { type: "string" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help || positionals.length === 0 || positionals.some((name) => !known.includes(name))) {
  console.error(
    `usage: npm run bench -- [--no-write] [--plain] [--only PATTERN] [--rounds N] NAME…\nnames: ${known.join(", ")}`,
  );
  process.exit(values.help ? 0 : 2);
}
const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
if (rounds !== undefined && !(Number.isInteger(rounds) && rounds >= 1 && rounds <= 100)) {
  console.error("--rounds takes a number from 1 to 100");
  process.exit(2);
}

for (const name of positionals) {
  const { run } = (await import(`./${name}.ts`)) as {
    run: (options: BenchOptions) => Promise<BenchResult>;
  };
  const result = await run({
    plain: values.plain === true,
    ...(rounds === undefined ? {} : { rounds }),
    ...(values.only === undefined ? {} : { only: new RegExp(values.only) }),
  });
  console.log(renderText(result));
  // A part of a benchmark is for the eye.
  if (values["no-write"] || values.only !== undefined) continue;
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? "cpu"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`;
  appendFileSync(
    resolve(root, "docs/benchmarks.md"),
    renderMarkdown(result, new Date().toISOString().slice(0, 10), machine),
  );
}
