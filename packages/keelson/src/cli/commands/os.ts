import type { Register } from "../invocation.ts";
import { registerExport } from "./os/export.ts";
import { registerGate } from "./os/gate.ts";
import { registerInstall } from "./os/install.ts";
import { registerRescue } from "./os/rescue.ts";
import { registerValidate } from "./os/validate.ts";

/** The verbs of `keel os`, in the order of its help. */
const verbs: readonly Register[] = [
  registerGate,
  registerRescue,
  registerValidate,
  registerExport,
  registerInstall,
];

export const register: Register = (program, act) => {
  const group = program
    .command("os")
    .description("Build, update and look after the machines’ operating system.");
  for (const registerVerb of verbs) registerVerb(group, act);
};
