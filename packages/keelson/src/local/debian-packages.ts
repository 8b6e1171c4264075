import { KeelError } from "../base/errors.ts";
import { CommandError, runCommand } from "./command.ts";
import { asStep } from "./progress.ts";
import type { Progress } from "./progress.ts";

/** The line that installs packages on Debian and Ubuntu. */
export function installLine(packages: readonly string[]): string {
  return `apt-get install --yes --no-install-recommends ${packages.join(" ")}`;
}

/** Installs packages with apt. Throws KEEL-304 with apt's last words. */
export function installPackages(packages: readonly string[], progress: Progress): Promise<void> {
  return asStep(
    progress,
    `install ${packages.join(", ")}`,
    async (step) => {
      const apt = [
        "apt-get",
        "--quiet",
        "--option",
        "Acquire::Retries=3",
        "--option",
        "DPkg::Lock::Timeout=120",
      ];
      const onLine = (line: string): void => {
        if (/^(Get:|Unpacking|Setting up)/.test(line)) step.update(line.replace(/ \.\.\.$/, "").slice(0, 70));
      };
      const env = { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };
      try {
        step.update("package lists");
        await runCommand([...apt, "update"], { env, onLine });
        await runCommand([...apt, ...installLine(packages).split(" ").slice(1)], { env, onLine });
      } catch (cause) {
        if (!(cause instanceof CommandError)) throw cause;
        throw new KeelError("KEEL-304", `apt could not install ${packages.join(", ")}:\n${cause.message}`, {
          cause,
          hint: `check the network, or run it by hand: ${installLine(packages)}`,
        });
      }
    },
    () => `${packages.length} packages`,
  );
}
