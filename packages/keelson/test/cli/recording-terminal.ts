// A terminal that keeps what is written to it.
import type { Terminal } from "../../src/cli/terminal.ts";

export interface RecordingTerminal extends Terminal {
  readonly stdout: () => string;
  readonly stderr: () => string;
}

export function recordingTerminal(overrides: Partial<Terminal> = {}): RecordingTerminal {
  const out: Buffer[] = [];
  let err = "";
  return {
    out: (text) => void out.push(Buffer.from(text)),
    err: (text) => void (err += text),
    outIsTTY: false,
    errIsTTY: false,
    interactive: false,
    columns: () => 80,
    env: {},
    cwd: "/",
    ask: () => Promise.reject(new Error("nobody to ask")),
    ...overrides,
    stdout: () => Buffer.concat(out).toString(),
    stderr: () => err,
  };
}
