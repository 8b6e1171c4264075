import { recording } from "../../packages/omaha/test/recordings.ts";

const { request } = recording("full 1");

/** The recorded check of the real client as another machine would send it. */
export function checkOf(machine: number): string {
  const digits = machine.toString(16).padStart(8, "0");
  return request
    .replace("4e502b30", digits)
    .replace("8158f946", digits)
    .replace("real-client", `machine-${machine}`);
}
