// Moves of the store, as every command shows them: asked for, followed step by step, told how it ended.
import { KeelError } from "../base/errors.ts";
import type { MoveLine } from "../api/wire/store.ts";
import { formatDuration } from "./duration.ts";
import type { Invocation } from "./invocation.ts";
import { Interrupted, isErrorCode } from "./report-error.ts";

export type StoreMove = { readonly to: "etcd"; readonly members: number } | { readonly to: "embedded" };

/** Moves the store and shows the steps. Throws the daemon's error when the move was undone. */
export async function moveStore(keel: Invocation, move: StoreMove): Promise<MoveLine> {
  const what =
    move.to === "etcd"
      ? `store on ${move.members} member${move.members === 1 ? "" : "s"}`
      : "store in one machine";
  return followMove(keel, { what, lines: (await keel.daemon()).store.move(move), noun: "move" });
}

/** Shows the steps of what the daemon does to the store; resolves with the last one. Throws the daemon's error. */
export async function followMove(
  keel: Invocation,
  move: { readonly what: string; readonly lines: AsyncIterable<MoveLine>; readonly noun: string },
): Promise<MoveLine> {
  return keel.progress.run(move.what, async (step) => {
    try {
      for await (const line of move.lines) {
        step.update(line.words);
        if (line.error) throw moveError(line.error);
        if (line.done) return line;
      }
    } catch (error) {
      if (!keel.signal.aborted) throw error;
      throw new Interrupted(
        `interrupted: the ${move.noun} goes on by itself; \`${keel.command("store status")}\` follows it`,
      );
    }
    throw new KeelError("KEEL-602", `the daemon ended before the ${move.noun} did`, {
      hint: `\`${keel.command("store status")}\` shows how the store is`,
    });
  });
}

/** Asks a person, unless --yes was given. Throws when the answer is no, or nobody can answer. */
export async function confirmMove(
  keel: Invocation,
  question: string,
  { yes, noun = "move" }: { readonly yes?: boolean; readonly noun?: string },
): Promise<void> {
  if (yes === true) return;
  if (!keel.terminal.interactive) {
    throw new KeelError("KEEL-716", `nobody is there to confirm the ${noun}: repeat it with --yes`);
  }
  const answer = await keel.terminal.ask(`${question} [y/N] `, keel.signal);
  if (!/^y(es)?$/i.test(answer.trim())) throw new KeelError("KEEL-716", "nothing was changed");
}

export function movedText({ words, ms, pauseMs }: MoveLine): string {
  const pause = formatDuration(pauseMs ?? 0);
  return `${words}\nit took ${formatDuration(ms)}; writers waited ${pause} at most, nothing was moved or restarted\n`;
}

function moveError({ code, message, hint }: NonNullable<MoveLine["error"]>): KeelError {
  return new KeelError(isErrorCode(code) ? code : "KEEL-900", message, hint === undefined ? {} : { hint });
}
