import type { Register } from "../invocation.ts";
import { registerBackup } from "./store/backup.ts";
import { registerCheck } from "./store/check.ts";
import { registerDel } from "./store/del.ts";
import { registerGet } from "./store/get.ts";
import { registerGrow } from "./store/grow.ts";
import { registerHistory } from "./store/history.ts";
import { registerLs } from "./store/ls.ts";
import { registerPut } from "./store/put.ts";
import { registerMigrate } from "./store/migrate.ts";
import { registerReplace } from "./store/replace.ts";
import { registerRestore } from "./store/restore.ts";
import { registerRestoreValue } from "./store/restore-value.ts";
import { registerServe } from "./store/serve.ts";
import { registerStatus } from "./store/status.ts";
import { registerWatch } from "./store/watch.ts";

/** The verbs of `keel store`, in the order of its help. */
const verbs: readonly Register[] = [
  registerStatus,
  registerGrow,
  registerMigrate,
  registerReplace,
  registerGet,
  registerPut,
  registerDel,
  registerLs,
  registerWatch,
  registerHistory,
  registerRestoreValue,
  registerBackup,
  registerRestore,
  registerServe,
  registerCheck,
];

export const register: Register = (program, act) => {
  const group = program.command("store").description("Look after the store.");
  for (const registerVerb of verbs) registerVerb(group, act);
};
