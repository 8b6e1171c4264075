import { SystemdError } from "../error.ts";
import { readEscape, tryEscape } from "./escape.ts";

/** A word of a value; `offset` is where it begins in the value, its quote included. */
export interface Word {
  readonly text: string;
  readonly offset: number;
}

/**
 * How backslashes outside and inside quotes are read: as C escapes; as C escapes, with unknown ones left as they
 * are (`ExecStart=` and its like); or all left as they are.
 */
export type Escapes = "c" | "relaxed" | "keep";

/**
 * Splits a value at white space as systemd does. Quotes `"` and `'` hold words together, may begin and end
 * inside a word, and are removed. Most lists resolve C escapes; lists of paths and names keep them.
 * @throws SystemdError `invalid-value` with the offset of an open quote, a bad escape or a final backslash.
 */
export function splitWords(value: string, escapes: Escapes = "c"): Word[] {
  const words: Word[] = [];
  let word: WordBuilder | undefined;
  let quote: { mark: string; offset: number } | undefined;
  for (let at = 0; at < value.length; at += 1) {
    const character = value[at] ?? "";
    if (quote === undefined && /[ \t\r\n]/.test(character)) {
      if (word !== undefined) words.push(word.finish());
      word = undefined;
      continue;
    }
    word ??= new WordBuilder(at);
    if (character === "\\" && escapes !== "keep") {
      at += word.escape(value, at + 1, escapes === "relaxed");
    } else if (quote !== undefined && character === quote.mark) {
      quote = undefined;
    } else if (quote === undefined && (character === '"' || character === "'")) {
      quote = { mark: character, offset: at };
    } else {
      word.add(character);
    }
  }
  if (quote !== undefined) {
    throw new SystemdError("invalid-value", `the quote ${quote.mark} is not closed`, {
      offset: quote.offset,
    });
  }
  if (word !== undefined) words.push(word.finish());
  return words;
}

class WordBuilder {
  readonly #offset: number;
  #text = "";
  #bytes: number[] = [];

  constructor(offset: number) {
    this.#offset = offset;
  }

  add(text: string): void {
    this.#flush();
    this.#text += text;
  }

  /** Takes the escape at `at` and returns how many characters it used. */
  escape(value: string, at: number, isRelaxed: boolean): number {
    if (at >= value.length) {
      throw new SystemdError("invalid-value", "a backslash at the end escapes nothing", { offset: at - 1 });
    }
    const escape = isRelaxed ? tryEscape(value, at) : readEscape(value, at);
    if (escape === undefined) {
      this.add(value.slice(at - 1, at + 1));
      return 1;
    }
    if ("byte" in escape) this.#bytes.push(escape.byte);
    else this.add(escape.character);
    return escape.length;
  }

  finish(): Word {
    this.#flush();
    return { text: this.#text, offset: this.#offset };
  }

  #flush(): void {
    if (this.#bytes.length === 0) return;
    try {
      this.#text += new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
        Uint8Array.from(this.#bytes),
      );
    } catch (cause) {
      throw new SystemdError("invalid-value", "its byte escapes are not UTF-8", {
        cause,
        offset: this.#offset,
      });
    }
    this.#bytes = [];
  }
}

const SHORT: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\\": "\\\\",
  '"': '\\"',
};

/** Writes a word so that {@link splitWords} reads it back as one; in quotes only where that is needed. */
export function quoteWord(word: string): string {
  if (word !== "" && !/[\s"'\\\p{Cc}]/u.test(word)) return word;
  const escaped = word.replace(/["\\\p{Cc}]/gu, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return SHORT[character] ?? `\\u${code.padStart(4, "0")}`;
  });
  return `"${escaped}"`;
}
