// `keel overhead` on a machine that runs an image of Keelson's: its own figures.
import { existsSync } from "node:fs";
import { release } from "node:os";
import { readIfThere } from "../../../../host/atomic-file.ts";
import { readOsFacts } from "../../../../host/os-facts.ts";
import { runProgram } from "../../../../host/run-program.ts";
import { parseBudget } from "../../../../image/budget.ts";
import { parseStock } from "../../../../image/stock.ts";
import { costFiles, treeDisk } from "../../../../model/os-image.ts";
import { Records } from "../../../../updater/records.ts";
import { thisDisk } from "../../../../updater/this-disk.ts";
import type { Invocation } from "../../../invocation.ts";
import { measureMachine } from "./machine-figures.ts";
import { overheadDocument, overheadTable } from "./overhead-table.ts";
import type { Overhead } from "./overhead-table.ts";

/** False on a machine that was not started from an image: then nothing was printed. */
export async function showOwnOverhead(keel: Invocation): Promise<boolean> {
  const facts = await readOsFacts();
  if (facts === undefined) return false;
  const { version, variant, slot } = facts;
  const figures = await measureMachine({
    version,
    disk: await thisDisk(),
    history: () => new Records().history(),
    packages: costFiles.packages,
    modules: `/usr/lib/modules/${release()}/modules.dep`,
    proc: "/proc",
    hasKernel: !existsSync(treeDisk.path),
    pid: process.pid,
    run: runProgram,
    signal: keel.signal,
  });
  const budget = await readIfThere(costFiles.budget);
  const stock = await readIfThere(costFiles.stock);
  const overhead: Overhead = {
    system: { version, variant, ...(slot === undefined ? {} : { slot }) },
    figures,
    ...(budget === undefined ? {} : { budget: parseBudget(budget, variant) }),
    ...(stock === undefined ? {} : { stock: parseStock(stock) }),
  };
  keel.output.document(overheadDocument(overhead), () => overheadTable(overhead));
  return true;
}
