// Data goes to stdout: as text for people, or as JSON of a versioned form for programs.
import { harmless } from "./colour.ts";
import type { Terminal } from "./terminal.ts";

export const formats = ["text", "json", "ndjson"] as const;
export type Format = (typeof formats)[number];

/** journalctl's own forms, for `keel journal -o`: journalctl(1). */
export const journalModes: ReadonlySet<string> = new Set([
  "short",
  "short-full",
  "short-iso",
  "short-iso-precise",
  "short-precise",
  "short-monotonic",
  "short-unix",
  "verbose",
  "export",
  "json-pretty",
  "json-sse",
  "json-seq",
  "cat",
  "with-unit",
]);

/** Version of every JSON document that `keel` prints. It grows when a field changes its meaning or goes. */
export const documentVersion = 1;

export interface Output {
  readonly format: Format;
  /** One result: `text` for people, `data` for programs with `"version":1` in front. */
  document(data: Readonly<Record<string, unknown>>, text: () => string): void;
  /**
   * A list: a table for people; for `json` one document with the list under `name`, for `ndjson` one
   * document for each element with its `type`.
   */
  list(list: ListOutput): void;
  /** One event of a stream: a line of text, or of JSON in both formats. */
  event(type: string, data: Readonly<Record<string, unknown>>, text: () => string): void;
}

export interface ListOutput {
  /** The plural under which the list stands in JSON: `machines`. */
  readonly name: string;
  /** The `type` of one element in ndjson: `machine`. */
  readonly type: string;
  readonly items: readonly Readonly<Record<string, unknown>>[];
  /** What else the JSON document holds: a revision. */
  readonly more?: Readonly<Record<string, unknown>>;
  readonly text: () => string;
}

export function createOutput(terminal: Terminal, format: Format): Output {
  const json = (value: Readonly<Record<string, unknown>>): void => {
    const text = format === "json" ? JSON.stringify(value, undefined, 2) : JSON.stringify(value);
    terminal.out(`${text}\n`);
  };
  return {
    format,
    document(data, text) {
      if (format === "text") terminal.out(harmless(text()));
      else json({ version: documentVersion, ...data });
    },
    list({ name, type, items, more, text }) {
      if (format === "text") terminal.out(harmless(text()));
      else if (format === "json") json({ version: documentVersion, ...more, [name]: items });
      else for (const item of items) json({ version: documentVersion, type, ...item });
    },
    event(type, data, text) {
      if (format === "text") terminal.out(harmless(text()));
      else terminal.out(`${JSON.stringify({ version: documentVersion, type, ...data })}\n`);
    },
  };
}
