// The processor time that the update protocol costs a server: reading a recorded check and printing its answer,
// beside a full XML parser; and what a machine's id keeps in memory once the request is gone.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { SaxesParser } from "saxes";
import {
  answerTo,
  printResponse,
  readRequest,
  readResponse,
  requestLimits,
} from "../packages/omaha/src/index.ts";
import type { OmahaResponse } from "../packages/omaha/src/index.ts";
import { scan } from "../packages/omaha/src/xml/scan.ts";
import { recording } from "../packages/omaha/test/recordings.ts";
import type { BenchOptions, BenchResult, BenchRow } from "./result.ts";
import { median } from "./statistics.ts";

/** Requests that differ, as those of a fleet do. */
const MACHINES = 5000;
const ROUNDS = 21;

/**
 * Microseconds of processor time for one call of each: medians over rounds in turns, each over all machines, the
 * first three not counted.
 */
function costs(...calls: readonly ((machine: number) => unknown)[]): readonly number[] {
  const rounds: number[][] = calls.map(() => []);
  for (let round = -3; round < ROUNDS; round++)
    for (const [place, call] of calls.entries()) {
      const started = process.cpuUsage();
      let seen = 0;
      for (let machine = 0; machine < MACHINES; machine++) if (call(machine) !== undefined) seen++;
      const { user, system } = process.cpuUsage(started);
      if (seen !== MACHINES) throw new Error("a call gave nothing");
      if (round >= 0) rounds[place]?.push((user + system) / MACHINES);
    }
  return rounds.map(median);
}

const cost = (call: (machine: number) => unknown): number => costs(call)[0] ?? Number.NaN;

const digits = (machine: number): string => machine.toString(16).padStart(8, "0");

/** The recorded check as another machine would send it. */
function checkOf(machine: number): string {
  return recording("full 1")
    .request.replace("4e502b30", digits(machine))
    .replace("8158f946", digits(machine))
    .replace("real-client", `machine-${machine}`);
}

/** How long a full parser takes for the same document, into a tree. */
function parseFully(xml: string): unknown {
  interface Tree {
    readonly name: string;
    readonly attributes: object;
    readonly children: Tree[];
  }
  const open: Tree[] = [];
  let root: Tree | undefined;
  const parser = new SaxesParser();
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ name, attributes }) => {
    const tree: Tree = { name, attributes, children: [] };
    open.at(-1)?.children.push(tree);
    root ??= tree;
    open.push(tree);
  });
  parser.on("closetag", () => void open.pop());
  parser.write(xml).close();
  return root;
}

/** Bytes of heap for each machine whose ids are kept and whose request is not. */
function memoryOfIds(): number {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  gc();
  const before = process.memoryUsage().heapUsed;
  const kept: (string | undefined)[] = [];
  for (let machine = 0; machine < 20_000; machine++) {
    const [app] = readRequest(Buffer.from(checkOf(machine))).apps;
    kept.push(app?.machineId, app?.bootId);
  }
  gc();
  const bytes = process.memoryUsage().heapUsed - before;
  if (kept.length !== 40_000) throw new Error("ids are missing");
  return bytes / 20_000;
}

export function run({ only = /./ }: BenchOptions = {}): Promise<BenchResult> {
  const texts = Array.from({ length: MACHINES }, (_, machine) => checkOf(machine));
  const bodies = texts.map((text) => Buffer.from(text));
  const apps = texts.map((text) => readRequest(text).apps);
  const text = (machine: number): string => texts[machine] ?? "";
  const body = (machine: number): Buffer => bodies[machine] ?? Buffer.alloc(0);
  const answer = (of: (typeof apps)[number]): string =>
    printResponse({
      protocol: "3.0",
      server: "keelson",
      dayStart: { elapsedSeconds: 0 },
      apps: of.map((app) => answerTo(app)),
    });
  const update: OmahaResponse = readResponse(recording("full 1").response);

  const parts: readonly { readonly what: string; readonly measure: () => Omit<BenchRow, "what"> }[] = [
    {
      what: "a check of 740 bytes to a tree of elements",
      measure: () => {
        const [value = 0, peer = 0] = costs(
          (machine) => scan(text(machine), requestLimits),
          (machine) => parseFully(text(machine)),
        );
        return { value, unit: "µs", peer, peerName: "saxes", ratio: value / peer };
      },
    },
    {
      what: "read a check of 740 bytes",
      measure: () => ({
        value: cost((machine) => readRequest(text(machine))),
        unit: "µs",
        reach: "well below 30 µs",
      }),
    },
    {
      what: "read a check of 740 bytes, as it comes from the network",
      measure: () => ({ value: cost((machine) => readRequest(body(machine))), unit: "µs" }),
    },
    {
      what: "print the answer that there is no update",
      measure: () => ({
        value: cost((machine) => answer(apps[machine] ?? [])),
        unit: "µs",
        reach: "below 5 µs",
      }),
    },
    {
      what: "print an answer with an update",
      measure: () => ({ value: cost(() => printResponse(update)), unit: "µs" }),
    },
    {
      what: "both: bytes in, answer out",
      measure: () => ({
        value: cost((machine) => answer(readRequest(body(machine)).apps)),
        unit: "µs",
        note: "of 100 µs that a check may cost at 10,000 a second",
      }),
    },
    {
      what: "memory of a machine’s two ids, the request gone",
      measure: () => ({ value: memoryOfIds(), unit: "bytes" }),
    },
  ];
  const rows = parts
    .filter(({ what }) => only.test(what))
    .map(({ what, measure }): BenchRow => ({ what, ...measure() }));
  const how = `the recorded check of update_engine 0.4.10 as ${MACHINES} machines would send it, processor time for one, median of ${ROUNDS} rounds`;
  return Promise.resolve({ name: "omaha", how, rows });
}
