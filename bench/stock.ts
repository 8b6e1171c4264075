// Measures the stock system that `keel overhead` compares with, and records it in os/stock.json: what it holds from
// its files, what it costs from boots of it alone.
import { writeFile } from "node:fs/promises";
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { isCountedUnit } from "../packages/keelson/src/cli/commands/os/overhead/machine-figures.ts";
import type { Stock } from "../packages/keelson/src/image/stock.ts";
import { runCommand } from "../packages/keelson/src/local/command.ts";
import { silentProgress } from "../packages/keelson/src/local/progress.ts";
import { toolsTree } from "../packages/keelson/src/local/tree/tools-tree.ts";
import { bootOnce } from "./os/boot.ts";
import type { BootFigures } from "./os/boot.ts";
import { stockServer } from "./os/stock.ts";
import { median } from "./statistics.ts";
import type { BenchOptions, BenchResult } from "./result.ts";

const repository = resolve(import.meta.dirname, "..");

export async function run({ rounds = 3 }: BenchOptions): Promise<BenchResult> {
  const tools = await toolsTree({ repository });
  const system = await stockServer(tools, silentProgress);
  const boots: BootFigures[] = [];
  for (let round = 0; round < rounds; round++) boots.push(await bootOnce(system, { tools, counted: false }));
  const middle = (value: (figures: BootFigures) => number): number => median(boots.map(value));
  const files = await filesOf(system.archive);
  const figures: Stock["figures"] = {
    downloadBytes: await system.downloadBytes(),
    ...files,
    kernelBytes: statSync(system.kernel).size + statSync(system.initrd).size,
    bootUnits: middle(({ units }) => units.filter((name) => isCountedUnit(name)).length),
    processes: middle(({ processes }) => processes.length),
    memoryUsedBytes: middle(({ memoryTotal, memoryAvailable }) => memoryTotal - memoryAvailable),
    memoryAvailableBytes: middle(({ memoryAvailable }) => memoryAvailable),
    listeningPorts: middle(({ ports }) => ports.length),
    bootKernelSeconds: middle(({ kernelSeconds }) => kernelSeconds),
    bootUserSeconds: middle(({ userSeconds }) => userSeconds),
  };
  const stock: Stock = {
    what: "Debian 13 (trixie), the standard system with its kernel, OpenSSH and Docker",
    how: `its files packed with zstd -9 for the download; the rest from ${rounds === 1 ? "one boot" : `the median of ${rounds} boots`} under QEMU 10 without KVM, 1 GiB of memory and 2 processors, kernel and initrd given directly, 15 s after everything was started.`,
    date: new Date().toISOString().slice(0, 10),
    figures,
  };
  await writeFile(resolve(repository, "os/stock.json"), `${JSON.stringify(stock, undefined, 2)}\n`);
  return {
    name: "stock",
    how: `${stock.what}: ${stock.how}`,
    rows: Object.entries(figures).map(([what, value]) => ({ what, unit: "", value })),
  };
}

type Files = Pick<Stock["figures"], "rootBytes" | "packages" | "kernelModules" | "setuidFiles">;

async function filesOf(archive: string): Promise<Files> {
  const list = await runCommand(["tar", "--list", "--verbose", "--numeric-owner", "--file", archive]);
  const found = { rootBytes: 0, packages: 0, kernelModules: 0, setuidFiles: 0 };
  for (const line of list.split("\n")) {
    const match = /^-(\S{9})\s+\S+\s+(\d+)\s+\S+\s+\S+\s+(.+)$/.exec(line);
    if (match === null) continue;
    const [, mode = "", bytes = "", path = ""] = match;
    found.rootBytes += Number(bytes);
    if (/[sS]/.test(mode)) found.setuidFiles++;
    if (/\.ko(?:\.xz)?$/.test(path)) found.kernelModules++;
    if (/^\.\/var\/lib\/dpkg\/info\/[^/]+\.list$/.test(path)) found.packages++;
  }
  return found;
}
