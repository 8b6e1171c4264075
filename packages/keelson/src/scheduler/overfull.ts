// Machines whose units ask for more than they have: they became smaller, or their units' files ask for more than
// before. Nothing is moved for that; it is said.
import type { Board, Site } from "./board/board.ts";
import { cpusInWords, memoryInWords, minus } from "./board/room.ts";
import { listed } from "./words.ts";

/** "ask for 700 MiB of its 100 MiB of memory"; `undefined` when all that is asked for is there. */
export function excessOn({ room, taken, leaving }: Site): string | undefined {
  const asked = minus(taken, leaving);
  const words: string[] = [];
  if (asked.memoryBytes > room.memoryBytes) {
    const [all, of] = [asked, room].map(({ memoryBytes }) => memoryInWords(memoryBytes));
    words.push(`${all} of its ${of} of memory`);
  }
  if (asked.milliCpus > room.milliCpus) {
    words.push(`${cpusInWords(asked.milliCpus)} of its ${cpusInWords(room.milliCpus)} processors`);
  }
  return words.length === 0 ? undefined : `ask for ${words.join(" and ")}`;
}

/** For the alarm; `undefined` when there is nothing to say. */
export function overfullMachines(board: Board): string | undefined {
  const excesses = [...board.sites()].flatMap((site) => {
    const excess = excessOn(site);
    return excess === undefined ? [] : [{ name: site.machine.name, excess }];
  });
  const [first, ...others] = excesses;
  if (first === undefined) return undefined;
  const more =
    others.length === 0 ? "" : `, and those on ${listed(others.map(({ name }) => name))} for too much`;
  return `the units on ${first.name} ${first.excess}${more}: they stay where they are`;
}
