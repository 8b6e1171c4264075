import { KeelError } from "../../base/errors.ts";
import { completionScripts } from "../completion-scripts.ts";
import type { Register } from "../invocation.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("completion")
    .argument("<shell>", "bash, zsh or fish")
    .description("Print a completion script: source <(keel completion bash)");
  act(command, async ({ output }, [shell = ""]) => {
    const script = Object.hasOwn(completionScripts, shell) ? completionScripts[shell] : undefined;
    if (script === undefined) {
      const hint = `keel completion ${Object.keys(completionScripts).join("|")}`;
      throw new KeelError("KEEL-104", `no completion for the shell "${shell}"`, { hint });
    }
    output.document({ shell, script }, () => script);
  });
};
