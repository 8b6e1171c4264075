// JSON as the gateway reads it. JSON.parse is no use here: it rounds the 64-bit numbers that ids are, and its
// messages are not the ones that clients of etcd know (those of Go's encoding/json).

/** A number as it was written: what it is to be is known where it is used. */
export class JsonNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type JsonValue = null | boolean | string | JsonNumber | readonly JsonValue[] | JsonObject;

/** Members in their order; a name may occur twice, and the last one counts. */
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** What was sent is not JSON, or not JSON for the message that is meant. */
export class JsonError extends Error {
  override readonly name = "JsonError";
}

/** Values inside of each other. Deeper ones are refused. */
const MOST_DEPTH = 1000;
const SPACE: ReadonlySet<string> = new Set([" ", "\t", "\r", "\n"]);
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const FIRST_PLAIN = " ";

/** Reads the first value of a text, undefined if there is none; what follows it is not looked at. Throws JsonError. */
export function parseJson(text: string): JsonValue | undefined {
  const parser = new Parser(text);
  parser.space();
  return parser.isAtEnd ? undefined : parser.value(0);
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  space(): void {
    while (SPACE.has(this.#text[this.#at] ?? "")) this.#at++;
  }

  value(depth: number): JsonValue {
    if (depth > MOST_DEPTH) throw new JsonError("exceeded max depth");
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject {
    const members = new Map<string, JsonValue>();
    this.#at++;
    this.space();
    if (this.#take("}")) return members;
    for (;;) {
      if (this.#text[this.#at] !== '"') throw this.#unexpected("looking for beginning of object key string");
      const name = this.#string();
      this.space();
      if (!this.#take(":")) throw this.#unexpected("after object key");
      this.space();
      members.set(name, this.value(depth + 1));
      this.space();
      if (this.#take("}")) return members;
      if (!this.#take(",")) throw this.#unexpected("after object key:value pair");
      this.space();
    }
  }

  #array(depth: number): readonly JsonValue[] {
    const values: JsonValue[] = [];
    this.#at++;
    this.space();
    if (this.#take("]")) return values;
    for (;;) {
      values.push(this.value(depth + 1));
      this.space();
      if (this.#take("]")) return values;
      if (!this.#take(",")) throw this.#unexpected("after array element");
      this.space();
    }
  }

  #string(): string {
    this.#at++;
    let value = "";
    for (;;) {
      const start = this.#at;
      while (isPlain(this.#text[this.#at])) this.#at++;
      value += this.#text.slice(start, this.#at);
      if (this.#take('"')) return value;
      if (!this.#take("\\")) throw this.#unexpected("in string literal");
      value += this.#escape();
    }
  }

  #escape(): string {
    const letter = this.#text[this.#at] ?? "";
    const plain = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
    if (plain === undefined && letter !== "u") throw this.#unexpected("in string escape code");
    this.#at++;
    if (plain !== undefined) return plain;
    for (let place = 0; place < 4; place++, this.#at++) {
      if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? "")) {
        throw this.#unexpected("in \\u hexadecimal character escape");
      }
    }
    return String.fromCharCode(Number.parseInt(this.#text.slice(this.#at - 4, this.#at), 16));
  }

  #word<T>(word: string, value: T): T {
    for (const letter of word) {
      if (!this.#take(letter)) throw this.#unexpected(`in literal ${word} (expecting ${quoted(letter)})`);
    }
    return value;
  }

  #number(): JsonNumber {
    const text = this.#match(NUMBER);
    if (text === "" && this.#take("-")) throw this.#unexpected("in numeric literal");
    if (text === "") throw this.#unexpected("looking for beginning of value");
    if (!/[.eE]/.test(text) && this.#take(".")) {
      throw this.#unexpected("after decimal point in numeric literal");
    }
    if (!/[eE]/.test(text) && (this.#take("e") || this.#take("E"))) {
      throw this.#unexpected("in exponent of numeric literal");
    }
    return new JsonNumber(text);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += text.length;
    return text;
  }

  #take(letter: string): boolean {
    if (this.#text[this.#at] !== letter) return false;
    this.#at++;
    return true;
  }

  #unexpected(where: string): JsonError {
    const found = this.#text.codePointAt(this.#at);
    if (found === undefined) return new JsonError("unexpected EOF");
    return new JsonError(`invalid character ${quoted(String.fromCodePoint(found))} ${where}`);
  }
}

/** A letter of a string that stands for itself. */
function isPlain(letter: string | undefined): boolean {
  return letter !== undefined && letter !== '"' && letter !== "\\" && letter >= FIRST_PLAIN;
}

/** A character as Go shows it. */
function quoted(letter: string): string {
  const code = letter.charCodeAt(0);
  if (letter === "'") return String.raw`'\''`;
  if (code < 0x20 && !/[\b\f\n\r\t]/.test(letter)) return `'\\x${code.toString(16).padStart(2, "0")}'`;
  if (letter === '"') return `'"'`;
  return `'${JSON.stringify(letter).slice(1, -1)}'`;
}

/** A string as Go writes it in JSON: what could end a script in a page is escaped too. */
export function quoteJson(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
