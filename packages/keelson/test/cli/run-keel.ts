import { run } from "../../src/cli/program.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { recordingTerminal } from "./recording-terminal.ts";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What it printed, read as JSON. */
  readonly json: any;
}

/** Runs a command line in this process on a terminal that records. */
export async function runKeel(argv: readonly string[], terminal: Partial<Terminal> = {}): Promise<Ran> {
  const recording = recordingTerminal(terminal);
  const code = await run(argv, recording);
  return {
    code,
    stdout: recording.stdout(),
    stderr: recording.stderr(),
    get json() {
      return JSON.parse(recording.stdout());
    },
  };
}
