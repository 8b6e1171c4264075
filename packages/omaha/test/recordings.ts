// What a real client (update_engine 0.4.10) and a server (Nebraska) said to each other: a whole update, the
// report after the restart, a fallback to the old version, an update that was withheld.
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

export interface Exchange {
  /** `full 1`: the first exchange of full.jsonl. */
  readonly name: string;
  readonly request: string;
  readonly response: string;
}

const folder = join(import.meta.dirname, "recordings");

export const recordings: readonly Exchange[] = globSync("*.jsonl", { cwd: folder })
  .toSorted()
  .flatMap((file) =>
    readFileSync(join(folder, file), "utf8")
      .trimEnd()
      .split("\n")
      .map((line, place) => {
        const { request, response } = JSON.parse(line) as Exchange;
        return { name: `${basename(file, ".jsonl")} ${place + 1}`, request, response };
      }),
  );

/** One that is there for certain. */
export function recording(name: string): Exchange {
  const found = recordings.find((exchange) => exchange.name === name);
  if (!found) throw new Error(`no recording ${name}`);
  return found;
}
