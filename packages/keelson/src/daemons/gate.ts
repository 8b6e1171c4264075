#!/usr/bin/env node
// The boot gate as a program of its own, which `keelson-gate.service` runs in every boot: it loads nothing of keel's
// that it does not need. `keel os gate` looks the same way, and changes nothing.
import { describeError, KeelError } from "../base/errors.ts";
import { DiskSlots } from "../updater/disk-slots/disk-slots.ts";
import { thisDisk } from "../updater/this-disk.ts";
import { runGate } from "../updater/gate/gate.ts";
import { thisGateMachine } from "../updater/gate/this-machine.ts";

const say = (text: string): void => void process.stderr.write(`${text}\n`);

try {
  const verdict = await runGate(await thisGateMachine(new DiskSlots(await thisDisk()), say));
  say(verdict.kind === "healthy" ? "the boot is a good one" : "KEEL-864: the boot is not healthy");
  process.exitCode = verdict.kind === "healthy" ? 0 : 1;
} catch (error) {
  const code = error instanceof KeelError ? `${error.code}: ` : "";
  say(`${code}${describeError(error)}`);
  process.exitCode = error instanceof KeelError ? error.exitCode : 1;
}
