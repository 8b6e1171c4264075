// YAML and JSON with the place of every value, bounded before anything is believed: size, depth, number of values,
// and how often an alias may unfold.
import { isAlias, LineCounter, parseDocument, Scalar } from "yaml";
import type { Document, Node } from "yaml";
import { Field } from "./field.ts";
import { Findings } from "./findings.ts";
import type { Place } from "./findings.ts";

/** Largest configuration, in bytes, unpacked. */
export const maxConfigBytes = 256 << 10;
/** Nesting that the parser is given at all. */
const maxDepth = 32;
/** A script in a block of text opens some as well, closed soon after; a bomb leaves thousands open. */
const maxOpenBrackets = 512;
/** Values read, those of aliases once for each use. */
const maxValues = 20_000;
const maxAliases = 100;

/** What is parsed, shared by all of its fields. */
export class Source {
  readonly findings = new Findings();
  readonly #document: Document;
  readonly #lines: LineCounter;
  #values = 0;
  #aliases = 0;

  constructor(document: Document, lines: LineCounter) {
    this.#document = document;
    this.#lines = lines;
  }

  place(node: Node | undefined): Place {
    return this.placeAt(node?.range?.[0] ?? 0);
  }

  placeAt(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  /** The value behind an alias; counts what is read. Undefined when there was too much. */
  follow(node: Node): Node | undefined {
    if (++this.#values > maxValues) return undefined;
    if (!isAlias(node)) return node;
    if (++this.#aliases > maxAliases) return undefined;
    return node.resolve(this.#document) as Node | undefined;
  }
}

/**
 * The document's root as a field, or the findings that keep it from being read. `json` takes JSON only, though places
 * are told as for YAML.
 */
export function readDocument(text: string, language: "yaml" | "json"): { field?: Field; findings: Findings } {
  const early = new Findings();
  const refuse = (place: Place, message: string, remedy: string): { findings: Findings } => {
    early.add({ severity: "error", path: "", message, remedy, ...place });
    return { findings: early };
  };
  const start = { line: 1, column: 1 };
  if (Buffer.byteLength(text) > maxConfigBytes)
    return refuse(
      start,
      "the configuration is larger than 256 KiB",
      "Put large contents on a server or a disk.",
    );
  const deep = tooDeep(text);
  if (deep !== undefined)
    return refuse(deep, `nested deeper than ${maxDepth} times`, "Nothing in a configuration is that deep.");
  const lines = new LineCounter();
  let document: Document;
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      // Every scalar stays the text that was written: what it means is decided by who reads it.
      schema: "failsafe",
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: "silent",
    });
  } catch {
    return refuse(start, "the text cannot be parsed", "Check its indentation and its brackets.");
  }
  const source = new Source(document, lines);
  for (const error of document.errors.slice(0, 20))
    source.findings.add({
      severity: "error",
      path: "",
      message: firstLine(error.message),
      remedy: language === "json" ? "Correct the JSON here." : "Correct the YAML here; mind the indentation.",
      ...source.placeAt(error.pos[0]),
    });
  if (language === "json" && !source.findings.hasErrors) {
    try {
      JSON.parse(text);
    } catch {
      source.findings.add({
        severity: "error",
        path: "",
        message: "the text is no JSON",
        remedy: "Ignition is JSON: no comments, no trailing commas, keys in double quotes.",
        ...start,
      });
    }
  }
  if (source.findings.hasErrors) return { findings: source.findings };
  const root = (document.contents as Node | null) ?? emptyScalar();
  return { field: new Field(source, root, ""), findings: source.findings };
}

function emptyScalar(): Node {
  const scalar = new Scalar("");
  scalar.type = Scalar.PLAIN;
  return scalar;
}

/** Where indentation or brackets open more than the parser is to recurse into. */
function tooDeep(text: string): Place | undefined {
  const lines = text.split("\n");
  let brackets = 0;
  for (const [i, line] of lines.entries()) {
    // Dashes of nested lists on one line open a level each.
    const dashes = /^[ \t]*((?:[-?][ \t]+)+)/.exec(line)?.[1]?.replaceAll(/[ \t]/g, "").length ?? 0;
    if (dashes > maxDepth) return { line: i + 1, column: 1 };
    for (let column = 0; column < line.length; column++) {
      const character = line.charCodeAt(column);
      if (character === 0x5b || character === 0x7b) brackets++;
      else if (character === 0x5d || character === 0x7d) brackets = Math.max(0, brackets - 1);
      if (brackets > maxOpenBrackets) return { line: i + 1, column: column + 1 };
    }
  }
  return undefined;
}

const firstLine = (message: string): string =>
  /call stack/.test(message) ? "nested too deep" : (message.split("\n", 1)[0]?.slice(0, 300) ?? "");
