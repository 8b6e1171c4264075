// What a machine says of itself, with files of the test's and programs that answer as a machine's do.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { measureMachine } from "../../../src/cli/commands/os/overhead/machine-figures.ts";
import type { Surroundings } from "../../../src/cli/commands/os/overhead/machine-figures.ts";
import { overheadDocument, overheadTable } from "../../../src/cli/commands/os/overhead/overhead-table.ts";
import type { ProgramResult } from "../../../src/host/run-program.ts";
import { parseBudget } from "../../../src/image/budget.ts";
import { parseStock, stockFigures } from "../../../src/image/stock.ts";
import type { EntryFolder } from "../../../src/updater/disk-slots/boot-disk.ts";

const repository = join(import.meta.dirname, "../../../../..");
const verity = `keelson.verity=${"a".repeat(64)},${"b".repeat(64)},129`;

const answers: Readonly<Record<string, string>> = {
  find: "",
  "systemctl list-units":
    "dbus.socket loaded active running x\nsystem.slice loaded active y\nssh.service a b c\n",
  "systemctl show": "UserspaceTimestampMonotonic=1500000\nFinishTimestampMonotonic=4000000\n",
};

suite("what an installed machine costs", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-overhead-"));
    const status = (pid: number, parent: number): string =>
      `Name:\tp${pid}\nPid:\t${pid}\nPPid:\t${parent}\n`;
    for (const [pid, parent] of [
      [1, 0],
      [10, 1],
      [20, 1],
      [21, 20],
    ] as const) {
      await mkdir(join(folder, "proc", String(pid)), { recursive: true });
      await writeFile(join(folder, "proc", String(pid), "status"), status(pid, parent));
      await writeFile(join(folder, "proc", String(pid), "smaps_rollup"), "Pss_Anon:     1000 kB\n");
    }
    await writeFile(
      join(folder, "proc/meminfo"),
      "MemTotal: 100000 kB\nMemFree: 1 kB\nMemAvailable: 90000 kB\n",
    );
    await writeFile(join(folder, "packages"), "a 1\nb 2\n");
  });
  after(() => rm(folder, { recursive: true }));

  const here = (changes: Partial<Surroundings> = {}): Surroundings => ({
    version: "1.2.3",
    disk: {
      commandLine: () => Promise.resolve(`quiet ${verity}`),
      withEntries: (task) =>
        task({
          list: () => Promise.resolve([{ name: "keelson_1.2.3+2-1.efi", bytes: 12_000_000 }]),
        } as unknown as EntryFolder),
    },
    history: () =>
      Promise.resolve([
        { at: 1, kind: "staged", version: "1.2.3", how: "full", bytes: 100_000_000 } as const,
      ]),
    packages: join(folder, "packages"),
    modules: join(folder, "modules"),
    proc: join(folder, "proc"),
    hasKernel: true,
    pid: 21,
    run: ([program, verb]): Promise<ProgramResult> =>
      Promise.resolve({
        status: 0,
        stdout: answers[program] ?? answers[`${program} ${verb}`] ?? "",
        stderr: "",
      }),
    signal: new AbortController().signal,
    ...changes,
  });

  test("every figure, without those who look", async () => {
    const figures = await measureMachine(here());
    assert.deepEqual(figures, {
      downloadBytes: { value: 100_000_000 },
      // 129 blocks, two of their hashes, one of those.
      rootBytes: { value: 132 * 4096 },
      kernelBytes: { value: 12_000_000 },
      packages: { value: 2 },
      kernelModules: { missing: `the image brings no ${folder}/modules` },
      setuidFiles: { value: 0, parts: [] },
      bootUnits: { value: 2, parts: ["dbus.socket", "ssh.service"] },
      processes: { value: 2, parts: ["p1", "p10"] },
      memoryUsedBytes: { value: 8000 * 1024 },
      memoryAvailableBytes: { value: 92_000 * 1024 },
      listeningPorts: { value: 0, parts: [] },
      bootKernelSeconds: { value: 1.5 },
      bootUserSeconds: { value: 2.5 },
    });
  });

  test("a container does not take its host's memory and kernel for its own", async () => {
    const figures = await measureMachine(here({ hasKernel: false }));
    for (const name of ["memoryUsedBytes", "memoryAvailableBytes", "bootKernelSeconds"] as const)
      assert.ok("missing" in figures[name], name);
    assert.deepEqual(figures.bootUserSeconds, { value: 2.5 });
  });

  test("what cannot be had says why, and the rest is there", async () => {
    const refuse = (): Promise<never> => Promise.reject(new Error("only root may"));
    const figures = await measureMachine(
      here({
        disk: { commandLine: () => Promise.resolve("quiet"), withEntries: refuse },
        history: () =>
          Promise.resolve([
            { at: 1, kind: "staged", version: "1.2.3", from: "1.2.2", how: "delta", bytes: 5 } as const,
          ]),
        run: () => Promise.resolve({ status: 1, stdout: "", stderr: "no bus\n" }),
        proc: join(folder, "nothing"),
      }),
    );
    for (const name of stockFigures) {
      if (name === "packages" || name === "listeningPorts") continue;
      const figure = figures[name];
      assert.ok("missing" in figure && figure.missing !== "", name);
    }
    assert.deepEqual(figures.packages, { value: 2 });
    const table = overheadTable({ system: { version: "1.2.3", variant: "vm" }, figures });
    assert.match(table, /No figure for "kernel and initrd": only root may/);
    assert.match(table, /from 1\.2\.2: 5 bytes/);
    assert.match(table, /brings no figures of a stock system/);
  });

  test("beside the budget and the stock system of the image", async () => {
    const read = (name: string): Promise<string> => readFile(join(repository, "os", name), "utf8");
    const budget = parseBudget(await read("budget.json"));
    const stock = parseStock(await read("stock.json"));
    const figures = { ...(await measureMachine(here())), bootUnits: { value: budget.bootUnits.limit + 1 } };
    const overhead = { system: { version: "1.2.3", variant: "vm", slot: "b" }, figures, budget, stock };
    const document = overheadDocument(overhead) as {
      readonly figures: Record<string, { value: number; limit?: number; stock: number }>;
    };
    assert.deepEqual(Object.keys(document.figures), [...stockFigures]);
    assert.deepEqual(document.figures["rootBytes"], {
      value: 132 * 4096,
      limit: budget.rootBytes.limit,
      stock: stock.figures.rootBytes,
    });
    const table = overheadTable(overhead);
    assert.match(table, /^active units .*over budget$/m);
    assert.match(table, /^packages +2 .* % of stock$/m);
    assert.ok(table.includes(stock.date) && table.includes("slot b"));
  });

  test("a stock system with a figure of nobody's, or below nothing, is refused", async () => {
    const text = await readFile(join(repository, "os/stock.json"), "utf8");
    const stock = parseStock(text);
    for (const figures of [
      { ...stock.figures, colour: 1 },
      { ...stock.figures, packages: -1 },
    ])
      assert.throws(() => parseStock(JSON.stringify({ ...stock, figures })));
    assert.throws(() => parseStock("{}"));
  });
});
