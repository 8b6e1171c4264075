// What keeld is told on its command line, and where its configuration comes from.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseConfiguration } from "../base/configuration.ts";
import type { Configuration } from "../base/configuration.ts";
import { describeError, KeelError } from "../base/errors.ts";

export const usage = `keeld: the machine daemon of Keelson

Usage: keeld [--config FILE]

  --config FILE   the configuration, JSON. Without it, the credential keelson.config.
  --version       print the version
  --help          print this
`;

export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "run"; readonly config: string | undefined };

/** @throws KeelError KEEL-104 for an unknown option */
export function parseCommandLine(args: readonly string[]): Command {
  try {
    const { values } = parseArgs({
      args: [...args],
      strict: true,
      options: {
        config: { type: "string" },
        version: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help === true) return { kind: "help" };
    if (values.version === true) return { kind: "version" };
    return { kind: "run", config: values.config };
  } catch (cause) {
    throw new KeelError("KEEL-104", describeError(cause), { hint: "See keeld --help." });
  }
}

/** Rejects with KEEL-106 when there is no configuration or it cannot be read. */
export async function loadConfiguration(
  file: string | undefined,
  credentialsDirectory: string | undefined,
): Promise<Configuration> {
  const path = file ?? (credentialsDirectory && join(credentialsDirectory, "keelson.config"));
  if (path === undefined || path === "") {
    throw new KeelError("KEEL-106", "keeld has no configuration", {
      hint: "Give it one with --config FILE, or as the credential keelson.config.",
    });
  }
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new KeelError("KEEL-106", `${path} cannot be read: ${describeError(cause)}`, { cause });
  }
  return parseConfiguration(text, path);
}
