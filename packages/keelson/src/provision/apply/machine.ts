// What applying touches of a machine. Tests bring a folder in place of `/` and write down what would be run.
import { chown, lchown, readFile, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { runProgram } from "../../host/run-program.ts";
import type { ProgramResult } from "../../host/run-program.ts";

export interface Machine {
  /** Before every path: empty on a real machine. */
  readonly root: string;
  readonly run: (argv: readonly [string, ...string[]]) => Promise<ProgramResult>;
  /** Owner of a path, never of what a link leads to. */
  readonly chown: (path: string, uid: number, gid: number) => Promise<void>;
  readonly setHostname: (name: string) => Promise<void>;
  /** Addresses by interface, loopback left out, and the interface of the default route. */
  readonly network: () => Promise<NetworkFacts>;
}

export interface NetworkFacts {
  readonly defaultInterface?: string;
  readonly addresses: readonly {
    readonly interface: string;
    readonly family: 4 | 6;
    readonly address: string;
  }[];
}

/** The machine that this runs on. */
export const thisMachine: Machine = {
  root: "",
  run: (argv) => runProgram(argv, { timeoutMs: 30_000 }),
  chown: (path, uid, gid) => lchown(path, uid, gid),
  setHostname: (name) => writeFile("/proc/sys/kernel/hostname", name),
  network: readNetwork,
};

async function readNetwork(): Promise<NetworkFacts> {
  const routes = await readFile("/proc/net/route", "utf8").catch(() => "");
  const addresses = Object.entries(networkInterfaces()).flatMap(([name, entries]) =>
    (entries ?? [])
      .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
      .map(({ family, address }) => ({
        interface: name,
        family: family === "IPv6" ? (6 as const) : (4 as const),
        address,
      })),
  );
  const defaultInterface = defaultRoute(routes);
  return { addresses, ...(defaultInterface !== undefined && { defaultInterface }) };
}

/** The interface with the best default route, from /proc/net/route. */
export function defaultRoute(routes: string): string | undefined {
  const found = routes
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, destination, , , , , , mask]) => destination === "00000000" && mask === "00000000")
    .toSorted((a, b) => Number(a[6] ?? 0) - Number(b[6] ?? 0));
  return found[0]?.[0];
}

/** The same with a folder as `/`: for tests, and nothing is run. */
export function machineAt(root: string, rest: Partial<Machine> = {}): Machine {
  return {
    root,
    run: () => Promise.resolve({ status: 0, stdout: "", stderr: "" }),
    chown: (path, uid, gid) => chown(path, uid, gid),
    setHostname: () => Promise.resolve(),
    network: () => Promise.resolve({ addresses: [] }),
    ...rest,
  };
}

export const at = (machine: Machine, path: string): string =>
  machine.root === "" ? path : join(machine.root, path);
