import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { exitCode, KeelError } from "../../../base/errors.ts";
import { describeItem, itemsOf } from "../../../provision/apply/items.ts";
import type { Reading } from "../../../provision/cloud-config/read-cloud-config.ts";
import { maxUserDataBytes, readUserData } from "../../../provision/user-data.ts";
import type { Register } from "../../invocation.ts";

export const registerValidate: Register = (group, act) => {
  const validate = group
    .command("validate")
    .argument("<file>", "a cloud-config or Ignition configuration, - for the standard input")
    .option("--strict", "fail for warnings, too")
    .description(
      "Check a first-boot configuration, tell every error with line and column, and show what a machine would do. Nothing is changed.",
    );
  act<{ readonly strict?: boolean }>(validate, async ({ output, terminal }, [file = "-"], { strict }) => {
    const reading = readUserData(await read(file, terminal.cwd));
    const wanted =
      reading.config === undefined
        ? []
        : itemsOf(reading.config, { keys: [] }).map((item) => ({ id: item.id, what: describeItem(item) }));
    const isFine = reading.config !== undefined && !(strict === true && reading.findings.length > 0);
    output.document(
      { file, ok: isFine, language: reading.language, findings: reading.findings, wanted },
      () => textOf(file, reading, wanted),
    );
    return isFine ? exitCode.done : exitCode.usage;
  });
};

function textOf(
  file: string,
  { config, findings, language }: Reading,
  wanted: readonly { what: string }[],
): string {
  const name = file === "-" ? "stdin" : file;
  const told = findings.map(
    ({ line, column, severity, path, message, remedy }) =>
      `${name}:${line}:${column}: ${severity}: ${path === "" ? "" : `${path}: `}${message}\n    ${remedy}\n`,
  );
  const count = (severity: string): number => findings.filter((one) => one.severity === severity).length;
  if (config === undefined) return `${told.join("")}${name}: ${count("error")} errors\n`;
  const steps = wanted.map(({ what }) => `  ${what}\n`).join("");
  const doing = steps === "" ? "It asks for nothing.\n" : `A machine would set up:\n${steps}`;
  const warnings = count("warning") === 0 ? "fine" : `fine, ${count("warning")} warnings`;
  return `${told.join("")}${name}: ${language}: ${warnings}\n${doing}`;
}

/** At most a little more than is read at all: the rest would be refused for its size. */
async function read(file: string, cwd: string): Promise<Uint8Array> {
  try {
    const handle = await open(file === "-" ? "/dev/stdin" : resolve(cwd, file), "r");
    try {
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of handle.createReadStream({ autoClose: false })) {
        chunks.push(chunk as Buffer);
        bytes += (chunk as Buffer).length;
        if (bytes > maxUserDataBytes) break;
      }
      return Buffer.concat(chunks);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "is a folder" : String(code);
    throw new KeelError("KEEL-104", `${file}: ${why}`, { cause: error });
  }
}
