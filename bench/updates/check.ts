import type { OmahaApp } from "@keelson/omaha";
import { recording } from "../../packages/omaha/test/recordings.ts";

const { request } = recording("full 1");
const digits = (machine: number): string => machine.toString(16).padStart(8, "0");
const renumber = (text: string, machine: number): string =>
  text
    .replace("4e502b30", digits(machine))
    .replace("8158f946", digits(machine))
    .replace("real-client", `machine-${machine}`);

/** The recorded check of the real client as another machine would send it. */
export const checkOf = (machine: number): string => renumber(request, machine);

/** The same, of what was read from the check of machine 0. */
export function numbered(app: OmahaApp, machine: number): OmahaApp {
  const of = (text = ""): string =>
    text.replace(digits(0), digits(machine)).replace("machine-0", `machine-${machine}`);
  return { ...app, machineId: of(app.machineId), bootId: of(app.bootId), machineAlias: of(app.machineAlias) };
}
