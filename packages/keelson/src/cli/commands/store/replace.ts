import { KeelError } from "../../../base/errors.ts";
import { parseDuration } from "../../duration.ts";
import type { Register } from "../../invocation.ts";

interface Options {
  readonly timeout?: string;
  readonly wait?: boolean;
  readonly cancel?: boolean;
}

export const registerReplace: Register = (group, act) => {
  const replace = group
    .command("replace")
    .argument("<machine>", "a machine that has a member of the store")
    .option("--timeout <span>", "how long to wait for the outcome (3m)")
    .option("--no-wait", "do not wait for the outcome")
    .option("--cancel", "leave the member where it is after all")
    .description("Take a machine’s member of the store to another machine, one step at a time.");
  act<Options>(replace, async (keel, [machine = ""], options) => {
    const timeoutMs = parseDuration(options.timeout ?? "3m", "--timeout");
    const client = await keel.daemon();
    await client.store.replaceMember(machine, { cancel: options.cancel === true });
    if (options.cancel === true) {
      keel.output.document({ machine, cancelled: true }, () => `${machine}'s member stays where it is\n`);
      return;
    }
    if (options.wait === false) {
      keel.output.document({ machine, done: false }, () => `${machine}'s member is asked to be replaced\n`);
      return;
    }
    const on = await keel.progress.run(`take the member off ${machine}`, async (step) => {
      for (const end = keel.clock.now() + timeoutMs; ;) {
        const { members, size, words } = await client.store.status();
        const voters = members.filter(({ role }) => role !== "learner");
        const isGone = !members.some(
          (member) => member.machineName === machine || member.machine === machine,
        );
        if (isGone && voters.length === size) return voters.map(({ machineName }) => machineName);
        if (words.length > 0) step.update(words.join("; "));
        if (keel.clock.now() > end)
          throw new KeelError("KEEL-602", `not yet: ${words.join("; ") || "the leader has not begun"}`, {
            hint: `it goes on by itself; \`${keel.command("store status")}\` follows it`,
          });
        await keel.clock.sleep(500, keel.signal);
      }
    });
    keel.output.document({ machine, done: true, members: on }, () => `the store is on ${on.join(", ")}\n`);
  });
};
