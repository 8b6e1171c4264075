import { KeelError } from "../../base/errors.ts";
import type { ChangeOptions } from "../change.ts";
import { change } from "../change.ts";
import type { Register } from "../invocation.ts";
import { withGuards, withWait } from "../options.ts";

interface RebalanceOptions extends ChangeOptions {
  readonly most?: string;
  readonly auto?: string;
}

export const register: Register = (program, act) => {
  const command = program
    .command("rebalance")
    .option("--most <number>", "most instances to move (10)")
    .option("--auto <on|off>", "do it from now on without being asked, or no more")
    .description("Move instances to machines that have fewer, as after a machine was added or came back.");
  act<RebalanceOptions>(withGuards(withWait(command)), (keel, _words, { most, auto, ...options }) => {
    if (auto !== undefined) return change(keel, { kind: "configure", autoRebalance: isOn(auto) }, options);
    return change(keel, { kind: "rebalance", most: parseMost(most) }, { timeout: "10m", ...options });
  });
};

function isOn(word: string): boolean {
  if (word === "on" || word === "off") return word === "on";
  throw new KeelError("KEEL-104", `--auto ${word}: neither on nor off`, { hint: "--auto on" });
}

function parseMost(word = "10"): number {
  const most = Number(word);
  if (Number.isInteger(most) && most >= 1 && most <= 50) return most;
  throw new KeelError("KEEL-104", `--most ${word}: no number from 1 to 50`, { hint: "--most 10" });
}
