import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import type { UpdateWhyView } from "../../api/wire/updates.ts";
import { KeelError } from "../../base/errors.ts";
import type { ChangeOptions } from "../change.ts";
import { change } from "../change.ts";
import type { Paint } from "../colour.ts";
import type { Register } from "../invocation.ts";
import { withGuards, withWait } from "../options.ts";
import { recordName } from "../unit-arguments.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("update")
    .argument("<unit>", "a unit of the cluster, or the path of its new file")
    .argument("[file]", "its new file, whatever that is called")
    .description("Replace a unit’s file, batch by batch, and go back when the new version fails.");
  act<ChangeOptions>(withGuards(withWait(command)), async (keel, [word = "", path], options) => {
    const snapshot = await (await keel.daemon()).snapshot();
    const name = recordName(path === undefined ? basename(word) : word, snapshot);
    const bytes = await readUnitFile(resolve(keel.terminal.cwd, path ?? word));
    const files = [{ name, body: Buffer.from(bytes).toString("base64") }];
    return change(keel, { kind: "submit", files, desired: "inactive", replace: true }, options);
  });
  const why = command
    .command("why")
    .argument("<machine>", "the id or the alias by which a machine asks for updates")
    .description("Say why a machine of the update service is not updating, or what it does.");
  act(why, async (keel, [machine = ""]) => {
    const answer = await (await keel.daemon()).updateWhy(machine);
    keel.output.document({ ...answer }, () => updateWhyText(answer, keel.paint));
  });
};

/** For each application which machine that is, and the sentence. */
function updateWhyText({ machines }: UpdateWhyView, paint: Paint): string {
  return machines
    .map(({ application, group, machine, alias, version, sentence }) => {
      const name = alias === "" ? machine : `${alias} (${machine})`;
      return `${paint("bold", name)} ${version}, ${application}, group ${group}\n  ${sentence}.\n`;
    })
    .join("");
}

async function readUnitFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new KeelError("KEEL-104", `${path} cannot be read`, {
      cause,
      hint: "keel update UNIT FILE, or the path of a file that is called as the unit",
    });
  }
}
