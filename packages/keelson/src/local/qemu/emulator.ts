// QEMU and its firmware: the host's own where they are new enough, else those of the tools' tree.
import { existsSync } from "node:fs";
import { findCommand } from "../host-facts.ts";
import { tryCommand } from "../command.ts";
import { toolCommand } from "../tree/tools-tree.ts";

/** QEMU 7.2 crashes the machines' kernel when it emulates two processors; 10 does not. */
const leastVersion = 10;
export const emulatorProgram = "qemu-system-x86_64";

/** UEFI's code and the template of its variables, where Debian has them. */
export const firmwareFiles = {
  code: "/usr/share/OVMF/OVMF_CODE_4M.fd",
  variables: "/usr/share/OVMF/OVMF_VARS_4M.fd",
} as const;

/** The major version in what `qemu-system-… --version` prints. */
export function emulatorVersion(text: string): number {
  return Number(/^QEMU emulator version (\d+)\./.exec(text)?.[1] ?? 0);
}

/** Whether the host's own QEMU, its tools and firmware can run machines. */
export async function hostEmulatorServes(): Promise<boolean> {
  const program = findCommand(emulatorProgram);
  if (program === undefined || findCommand("qemu-img") === undefined) return false;
  if (!Object.values(firmwareFiles).every((file) => existsSync(file))) return false;
  const { code, stdout } = await tryCommand([program, "--version"], { timeoutMs: 10_000 });
  return code === 0 && emulatorVersion(stdout) >= leastVersion;
}

/** The argv of a program of QEMU's, from the tools' tree unless `tree` is undefined. `binds` are the folders it uses. */
export function emulatorCommand(
  tree: string | undefined,
  argv: readonly string[],
  binds: readonly string[],
): string[] {
  return tree === undefined ? [...argv] : toolCommand(tree, argv, binds);
}
