import type { Register } from "../invocation.ts";
import { registerCheck } from "./store/check.ts";
import { registerGrow } from "./store/grow.ts";
import { registerReplace } from "./store/replace.ts";
import { registerServe } from "./store/serve.ts";
import { registerStatus } from "./store/status.ts";

/** The verbs of `keel store`, in the order of its help. */
const verbs: readonly Register[] = [
  registerStatus,
  registerGrow,
  registerReplace,
  registerServe,
  registerCheck,
];

export const register: Register = (program, act) => {
  const group = program.command("store").description("Look after the store.");
  for (const registerVerb of verbs) registerVerb(group, act);
};
