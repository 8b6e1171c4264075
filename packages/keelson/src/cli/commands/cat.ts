import { harmless } from "../colour.ts";
import { exitCode } from "../../base/errors.ts";
import type { SnapshotView } from "../../api/wire/snapshot.ts";
import { templateName } from "../../model/unit-name.ts";
import type { Register } from "../invocation.ts";
import { resolveUnits } from "../unit-arguments.ts";
import { parseVersion } from "./rollback.ts";

interface CatOptions {
  readonly version?: string;
}

export const register: Register = (program, act) => {
  const command = program
    .command("cat")
    .argument("<units...>", "units of the cluster")
    .option("--version <number>", "an earlier version, as keel versions lists them")
    .description("Print unit files exactly as they were handed in.");
  act<CatOptions>(command, async (keel, args, options) => {
    const version = options.version === undefined ? undefined : parseVersion(options.version);
    const client = await keel.daemon();
    const snapshot = await client.snapshot();
    const names = resolveUnits(args, snapshot).map((name) => unitOf(name, snapshot));
    for (const name of names) {
      const bytes = await (version === undefined ? client.unitFile(name) : client.versionFile(name, version));
      const { terminal } = keel;
      // Every byte for a file or a pipe; a terminal would do what a file tells it.
      if (keel.output.format === "text")
        terminal.out(terminal.outIsTTY ? harmless(new TextDecoder().decode(bytes)) : bytes);
      else
        keel.output.document(
          { unit: name, body: Buffer.from(bytes).toString("base64"), text: new TextDecoder().decode(bytes) },
          () => "",
        );
    }
    return exitCode.done;
  });
};

/** An instance of a template has its template's file. */
function unitOf(name: string, { units }: SnapshotView): string {
  if (units.some((unit) => unit.name === name)) return name;
  return templateName(name) ?? name;
}
