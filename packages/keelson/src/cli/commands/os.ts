import type { Register } from "../invocation.ts";
import { registerBuild } from "./os/build.ts";
import { registerDiff } from "./os/diff.ts";
import { registerEtc } from "./os/etc.ts";
import { registerExport } from "./os/export.ts";
import { registerGate } from "./os/gate.ts";
import { registerHistory } from "./os/history.ts";
import { registerInstall } from "./os/install.ts";
import { registerProvision } from "./os/provision.ts";
import { registerKeys } from "./os/keys.ts";
import { registerRelease } from "./os/release.ts";
import { registerSteering } from "./os/machines/steer.ts";
import { registerRescue } from "./os/rescue.ts";
import { registerRollback } from "./os/rollback.ts";
import { registerRoot } from "./os/root.ts";
import { registerStatus } from "./os/status.ts";
import { registerUpdate } from "./os/update.ts";
import { registerValidate } from "./os/validate.ts";
import { registerVerify } from "./os/verify.ts";
import { registerVersions } from "./os/versions.ts";

/** The verbs of `keel os`, in the order of its help. */
const verbs: readonly Register[] = [
  registerStatus,
  registerUpdate,
  registerRollback,
  registerSteering,
  registerVersions,
  registerHistory,
  registerVerify,
  registerBuild,
  registerDiff,
  registerExport,
  registerEtc,
  registerGate,
  registerInstall,
  registerProvision,
  registerRescue,
  registerRelease,
  registerKeys,
  registerRoot,
  registerValidate,
];

export const register: Register = (program, act) => {
  const group = program
    .command("os")
    .description("Build, update and look after the machines’ operating system.");
  for (const registerVerb of verbs) registerVerb(group, act);
};
