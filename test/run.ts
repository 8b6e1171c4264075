// `npm test`: installs what the suites need, then hands all of them to node's test runner in one run, so
// that its summary is the last word. `npm test -- unit machines` runs only the suites that are named; `os`
// runs only then.
import { chmodSync, existsSync, globSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { ensureDebianPackages } from "./support/debian-packages.ts";
import { removeAbandoned } from "./support/machines.ts";

const root = resolve(import.meta.dirname, "..");

/** A test that takes longer hangs: it fails, and the others have their turn. */
const LONGEST_TEST_MS = 1_200_000;

/** Files that run beside each other. Those with machines mostly wait, and leave a processor to another. */
const AT_ONCE = 2;

interface Suite {
  readonly files: string;
  readonly what: string;
  readonly packages: readonly string[];
  /** It takes long, and runs only when it is named. */
  readonly onlyNamed?: boolean;
}

const machinePackages = [
  "mmdebstrap",
  "systemd-container",
  "iproute2",
  "nftables",
  "openssh-client",
  "binutils",
  "zstd",
  "curl",
];

const suites = {
  check: { files: "test/*.test.ts", what: "format, lint, types, architecture, documents", packages: [] },
  unit: {
    files: "test/unit/*.test.ts",
    what: "all packages’ own tests and the scenarios, in one process",
    packages: ["openssl"],
  },
  store: {
    files: "test/store/*.test.ts",
    what: "the store against real etcd and etcdctl, and through crashes",
    packages: ["etcd-client", "etcd-server", "openssl"],
  },
  machines: {
    files: "test/machines/*.test.ts",
    what: "real machines under systemd-nspawn",
    packages: machinePackages,
  },
  fleet: {
    files: "test/fleet/*.test.ts",
    what: "what the original fleet promised: its list of functional tests, its API",
    packages: machinePackages,
  },
  browser: { files: "test/browser/*.test.ts", what: "the dashboard in Chromium", packages: ["chromium"] },
  os: {
    files: "test/os/*.test.ts",
    what: "the OS image, built and booted in virtual machines (only when named)",
    packages: machinePackages,
    onlyNamed: true,
  },
  virtual: {
    files: "test/virtual/*.test.ts",
    what: "virtual machines as machines of a cluster, and every form of export (only when named; an hour when emulated)",
    packages: machinePackages,
    onlyNamed: true,
  },
} as const satisfies Record<string, Suite>;

const names = Object.keys(suites) as (keyof typeof suites)[];
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { help: { type: "boolean", short: "h" }, only: { type: "string" } },
});

if (values.help) {
  console.log("npm test [-- SUITE…] [--only PATTERN]\n");
  for (const name of names) console.log(`  ${name.padEnd(10)} ${suites[name].what}`);
  process.exit(0);
}
const unknown = positionals.filter((name) => !names.includes(name as keyof typeof suites));
if (unknown.length > 0) {
  console.error(`error: no such suite: ${unknown.join(", ")}\nhint: ${names.join(", ")}`);
  process.exit(2);
}
const everyday = names.filter((name) => !("onlyNamed" in suites[name]));
const chosen = positionals.length === 0 ? everyday : names.filter((name) => positionals.includes(name));

await ensureDebianPackages(chosen.flatMap((name) => suites[name].packages));

/** Removes what killed runs have left: their clusters, and the folders of their files. */
async function removeLeft(): Promise<void> {
  if (process.getuid?.() === 0) await removeAbandoned();
  for (const folder of globSync(join(tmpdir(), "keelson-run-*"))) {
    const owner = basename(folder).slice("keelson-run-".length);
    if (/^\d+$/.test(owner) && !existsSync(`/proc/${owner}`))
      rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The files of the suites, those with machines by turns with the others, so that one that waits runs beside one that
 * computes. The first must find no other cluster on the host, and runs beside the longest without any.
 */
function inTurn(suiteNames: readonly (keyof typeof suites)[]): string[] {
  const filesOf = (names: readonly (keyof typeof suites)[]): string[] =>
    names.flatMap((name) => globSync(suites[name].files, { cwd: root }).toSorted());
  const hasMachines = (name: keyof typeof suites): boolean => suites[name].packages === machinePackages;
  const waiting = filesOf(suiteNames.filter((name) => hasMachines(name)));
  const computing = filesOf(suiteNames.filter((name) => !hasMachines(name)));
  const first = (file: string, files: string[]): string[] =>
    files.includes(file) ? [file, ...files.filter((other) => other !== file)] : files;
  const [one, other] = [
    first("test/machines/provider.test.ts", waiting),
    first("test/unit/packages.test.ts", computing),
  ];
  const turns = Math.max(one.length, other.length);
  return Array.from({ length: turns }, (_, turn) =>
    [one[turn], other[turn]].filter((it) => it !== undefined),
  ).flat();
}

await removeLeft();
const temporary = join(tmpdir(), `keelson-run-${process.pid}`);
mkdirSync(temporary);
// As every folder for temporary files: those whom apt and others act as look into it too.
chmodSync(temporary, 0o1777);

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());
process.env["TMPDIR"] = temporary;
const results = run({
  files: inTurn(chosen),
  concurrency: chosen.some((name) => "onlyNamed" in suites[name]) ? 1 : AT_ONCE,
  timeout: LONGEST_TEST_MS,
  cwd: root,
  execArgv: [`--import=${pathToFileURL(resolve(root, "test/support/left-open.ts")).href}`],
  signal: stop.signal,
  ...(values.only !== undefined && { testNamePatterns: [values.only] }),
});
let isWell = false;
results.on("test:summary", ({ file, success }) => {
  if (file === undefined) isWell = success && !stop.signal.aborted;
});
await pipeline(results, new spec(), process.stdout, { end: false });
rmSync(temporary, { recursive: true, force: true });
await removeLeft();
process.exit(isWell ? 0 : 1);
