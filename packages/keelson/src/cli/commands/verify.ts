import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { SystemdError, UnitFile, lintQuadlet } from "@keelson/systemd";
import { KeelError, exitCode } from "../../base/errors.ts";
import { readPlacement } from "../../model/placement/read-placement.ts";
import { readUnitName } from "../../model/unit-name.ts";
import { maxBodyBytes } from "../../model/unit.ts";
import type { Register } from "../invocation.ts";

interface Verdict {
  readonly file: string;
  readonly ok: boolean;
  readonly problem: { readonly code: string; readonly message: string; readonly hint: string | null } | null;
  /** What is odd and yet taken: a key that podman does not know. */
  readonly warnings: readonly string[];
}

export const register: Register = (program, act) => {
  const command = program
    .command("verify")
    .argument("<files...>", "unit files")
    .description(
      "Check unit files as submitting them would: name, syntax, options of [X-Fleet] and [X-Keelson], Quadlet’s keys. Nothing is changed and no daemon is asked.",
    );
  act(command, async ({ output, terminal }, files) => {
    const verdicts = await Promise.all(files.map((file) => verify(file, resolve(terminal.cwd, file))));
    output.list({
      name: "files",
      type: "file",
      items: verdicts.map((verdict) => ({ ...verdict })),
      text: () => verdicts.map(verdictText).join(""),
    });
    return verdicts.every(({ ok }) => ok) ? exitCode.done : exitCode.usage;
  });
};

async function verify(file: string, path: string): Promise<Verdict> {
  try {
    const name = basename(path);
    readUnitName(name);
    const bytes = await readFile(path);
    if (bytes.length > maxBodyBytes) throw new KeelError("KEEL-605", `${file} is larger than 1 MiB`);
    readPlacement(name, bytes);
    const warnings = lintQuadlet(name, UnitFile.parse(bytes)).map(
      ({ message, position }) => `${file}:${position.line}:${position.column}: ${message}`,
    );
    return { file, ok: true, problem: null, warnings };
  } catch (error) {
    return { file, ok: false, problem: problemOf(file, error), warnings: [] };
  }
}

function problemOf(file: string, error: unknown): NonNullable<Verdict["problem"]> {
  if (error instanceof KeelError)
    return { code: error.code, message: error.message, hint: error.hint ?? null };
  if (error instanceof SystemdError) return { code: "KEEL-101", message: error.message, hint: null };
  const words = (error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : String(error);
  return { code: "KEEL-104", message: `${file}: ${words}`, hint: null };
}

function verdictText({ file, problem, warnings }: Verdict): string {
  const lines = warnings.map((warning) => `warning: ${warning}\n`).join("");
  if (problem === null) return `${lines}${file}: fine\n`;
  const hint = problem.hint === null ? "" : `  ${problem.hint}\n`;
  return `${lines}${file}: ${problem.code}: ${problem.message}\n${hint}`;
}
