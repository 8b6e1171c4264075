// Why podman's generator makes no service of a Quadlet file: it only says so on its standard error.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "./run-program.ts";

const generator = "/usr/lib/systemd/system-generators/podman-system-generator";

/** The generator's own words about this file; undefined when it has none. */
export async function quadletProblem(name: string): Promise<string | undefined> {
  try {
    const { stderr } = await runProgram([generator, "--dryrun"], { timeoutMs: 10_000 });
    return readProblem(stderr, name);
  } catch {
    return undefined;
  }
}

/**
 * Why podman cannot read a file at all; undefined when it can. A single such file makes the generator drop every
 * other one of its folder (podman 5.4), so each is tried by itself, in a folder of its own below `scratch`.
 */
export async function unreadableQuadlet(
  name: string,
  body: string,
  scratch: string,
): Promise<string | undefined> {
  const folder = await mkdtemp(join(scratch, "quadlet-"));
  try {
    await writeFile(join(folder, name), body);
    const env = { ...process.env, QUADLET_UNIT_DIRS: folder };
    const { stderr } = await runProgram([generator, "--dryrun"], { timeoutMs: 10_000, env });
    return readLoadProblem(stderr, join(folder, name));
  } catch {
    return undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Finds `quadlet-generator[123]: error loading "/run/x/web.container", file contains line 1: …`. */
export function readLoadProblem(stderr: string, path: string): string | undefined {
  const start = `error loading "${path}", `;
  const line = stderr.split("\n").find((one) => one.includes(start));
  return line?.slice(line.indexOf(start) + start.length).trim();
}

/** Finds the line about `name`: `quadlet-generator[123]: converting "web.container": no Image key specified`. */
export function readProblem(stderr: string, name: string): string | undefined {
  const lines = stderr.split("\n").map((line) => line.replace(/^quadlet-generator\[\d+\]:\s*/, "").trim());
  const start = `converting "${name}": `;
  return lines.find((line) => line.startsWith(start))?.slice(start.length);
}
