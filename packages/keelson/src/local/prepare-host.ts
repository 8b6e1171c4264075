// What `keel up` does before anything else: looks at the host, says everything that is missing at once, and
// installs what can be installed.
import { KeelError } from "../base/errors.ts";
import { installLine, installPackages } from "./debian-packages.ts";
import { findCommand, probeHost, reachMirror, tryKernelFeatures } from "./host-facts.ts";
import { judgeHost } from "./preflight.ts";
import type { Problem, Verdict } from "./preflight.ts";
import { asStep } from "./progress.ts";
import type { Progress } from "./progress.ts";
import { hostProxy } from "./tree/debian-tree.ts";
import { defaultCacheDirectory, defaultMirror, needsDownload } from "./tree/machine-tree.ts";

export interface PrepareOptions {
  readonly repository: string;
  readonly machines: number;
  readonly memoryPerMachine?: number;
  /** What runs the machines; nspawn unless given. */
  readonly provider?: "nspawn" | "qemu";
  readonly cacheDirectory?: string;
  readonly mirror?: string;
  readonly progress: Progress;
  /** False: only look, install nothing. */
  readonly install?: boolean;
}

export const defaultMemoryPerMachine = 64 * 2 ** 20;

/** Looks at the host and changes nothing. */
export async function inspectHost(options: Omit<PrepareOptions, "progress">): Promise<Verdict> {
  const cacheDirectory = options.cacheDirectory ?? defaultCacheDirectory;
  const facts = await probeHost(cacheDirectory);
  const buildsTree = await needsDownload({ repository: options.repository, cacheDirectory }).catch(
    () => true,
  );
  const { machines, memoryPerMachine = defaultMemoryPerMachine, provider = "nspawn" } = options;
  const verdict = judgeHost(facts, { machines, memoryPerMachine, buildsTree, provider });
  const problems = [...verdict.problems];
  if (problems.length === 0 && (buildsTree || verdict.packages.length > 0)) {
    problems.push(...(await mirrorProblem(options.mirror ?? defaultMirror)));
  }
  if (problems.length === 0 && verdict.packages.length > 0 && !canInstall(facts.distribution)) {
    const what = `missing commands: ${facts.missingCommands.join(", ")}`;
    problems.push({
      what,
      remedy: `install the packages that hold them; on Debian: ${installLine(verdict.packages)}`,
    });
  }
  return { ...verdict, problems };
}

/**
 * Makes the host ready for machines. Throws KEEL-301, or KEEL-304 when only the network is missing, with
 * every problem and its remedy before anything was changed. Returns what works less well here.
 */
export function prepareHost(options: PrepareOptions): Promise<readonly string[]> {
  return asStep(options.progress, "look at this host", async (step) => {
    const verdict = await inspectHost(options);
    if (verdict.problems.length > 0) throw failure(verdict.problems);
    if (verdict.packages.length > 0) {
      if (options.install === false) {
        const what = `packages are missing: ${verdict.packages.join(", ")}`;
        throw failure([{ what, remedy: installLine(verdict.packages) }]);
      }
      step.update(`${verdict.packages.length} packages are missing`);
      await installPackages(verdict.packages, options.progress);
    }
    const broken = await tryKernelFeatures(options.provider);
    if (broken.length > 0) {
      throw failure(broken.map((what) => ({ what, remedy: "use a kernel that has it: Debian’s own does" })));
    }
    return verdict.notes;
  });
}

function canInstall(distribution: string): boolean {
  return /\b(debian|ubuntu)\b/.test(distribution) && findCommand("apt-get") !== undefined;
}

const proxies = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

async function mirrorProblem(mirror: string): Promise<Problem[]> {
  // apt knows how to use a proxy; this look does not.
  if (proxies.some((name) => process.env[name]) || (await hostProxy()).length > 0) return [];
  const reason = await reachMirror(mirror, "trixie");
  if (reason === undefined) return [];
  const what = `Debian's packages are needed and ${mirror} cannot be reached: ${reason}`;
  return [{ what, remedy: "check the connection; what is cached is not downloaded again" }];
}

function failure(problems: readonly Problem[]): KeelError {
  const offline = problems.every(({ what }) => what.includes("cannot be reached"));
  const lines = problems.map(({ what, remedy }) => `- ${what}\n  ${remedy}`);
  return new KeelError(
    offline ? "KEEL-304" : "KEEL-301",
    `this host cannot run local machines yet:\n${lines.join("\n")}`,
    { hint: problems[0]?.remedy ?? "", details: { problems } },
  );
}
