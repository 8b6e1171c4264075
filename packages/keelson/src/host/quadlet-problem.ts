// Why podman's generator makes no service of a Quadlet file: it only says so on its standard error.
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

/** Finds the line about `name`: `quadlet-generator[123]: converting "web.container": no Image key specified`. */
export function readProblem(stderr: string, name: string): string | undefined {
  const lines = stderr.split("\n").map((line) => line.replace(/^quadlet-generator\[\d+\]:\s*/, "").trim());
  const start = `converting "${name}": `;
  return lines.find((line) => line.startsWith(start))?.slice(start.length);
}
