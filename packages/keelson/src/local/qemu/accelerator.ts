// Whether the processor's own virtualisation can be used here. A device file says little: opening it may be
// refused, fail, or never return. So QEMU itself tries, in a process that is left alone when its time is up.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

export interface Accelerator {
  readonly name: "kvm" | "tcg";
  /** How many times longer than a container a machine may take to do anything: bounds on waiting are multiplied by it. */
  readonly slowness: number;
  /** Why, in words: `KVM`, or `emulated: this processor offers no virtualisation`. */
  readonly because: string;
}

const trialMs = 5000;
const kvm: Accelerator = { name: "kvm", slowness: 2, because: "KVM" };

/**
 * What machines are run with when KVM cannot be used. On a host that does other things as well they have been seen to
 * stand still for half a minute: five times as long was too short for their leases.
 */
export function emulated(reason: string): Accelerator {
  return { name: "tcg", slowness: 10, because: `emulated: ${reason}` };
}

/** The choice that `before` recorded, as it stands in a cluster's record. */
export function acceleratorNamed(name: string): Accelerator {
  return name === "kvm" ? kvm : emulated("KVM did not work when the cluster was made");
}

export interface AcceleratorProbe {
  /** QEMU's argv without arguments. */
  readonly emulator: readonly string[];
  readonly device?: string;
  readonly processorInfo?: string;
  readonly timeoutMs?: number;
}

/** Tries KVM, within five seconds. */
export async function chooseAccelerator(probe: AcceleratorProbe): Promise<Accelerator> {
  const { emulator, device = "/dev/kvm", processorInfo = "/proc/cpuinfo", timeoutMs = trialMs } = probe;
  if (!existsSync(device)) return emulated(`${device} does not exist`);
  const flags = /^flags\s*:.*$/m.exec(readFileSync(processorInfo, "utf8"))?.[0];
  // arm64 lists no such flag.
  if (flags !== undefined && !/\b(vmx|svm)\b/.test(flags))
    return emulated("this processor offers no virtualisation");
  const failure = await trialRun([...emulator, ...kvmTrial], timeoutMs);
  return failure === undefined ? kvm : emulated(failure);
}

/** A machine without processors' work: QEMU opens the device, makes the virtual machine and ends. */
export const kvmTrial: readonly string[] = [
  ..."-machine none,accel=kvm -nodefaults -no-user-config -display none".split(" "),
  ..."-S -monitor stdio".split(" "),
];

/** Why it failed; undefined when it ended well. One that hangs in the kernel is not waited for. */
function trialRun(argv: readonly string[], timeoutMs: number): Promise<string | undefined> {
  const [program = "", ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["pipe", "ignore", "pipe"] });
    let words = "";
    const finish = (failure: string | undefined): void => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      child.stdin.destroy();
      child.stderr.destroy();
      child.unref();
      resolve(failure);
    };
    const timer = setTimeout(() => finish(`KVM did not answer within ${timeoutMs / 1000} s`), timeoutMs);
    child.stderr.setEncoding("utf8").on("data", (text: string) => void (words = (words + text).slice(-2000)));
    child.stdin.on("error", () => {});
    child.stdin.end("quit\n");
    child.on("error", ({ message }) => finish(message));
    child.on("close", (code) => {
      const last = words.trim().split("\n").at(-1) ?? "";
      finish(code === 0 ? undefined : last === "" ? `the trial of KVM ended with ${code}` : last);
    });
  });
}
