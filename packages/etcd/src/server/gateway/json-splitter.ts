import { JsonError } from "./json-value.ts";

const CODE = { brace: 0x7b, close: 0x7d, bracket: 0x5b, closeBracket: 0x5d, quote: 0x22, backslash: 0x5c };
const SPACE: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** Finds the JSON objects in a stream of bytes, one after the other, each of a bounded size. */
export class JsonSplitter {
  readonly #mostBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** An object has begun and not ended. */
  get isWithin(): boolean {
    return this.#depth > 0;
  }

  /** Calls `take` with the text of each object that is complete. Throws JsonError for anything else. */
  push(chunk: Buffer, take: (text: string) => void): void {
    let start = this.#depth > 0 ? 0 : -1;
    for (let at = 0; at < chunk.length; at++) {
      const code = chunk[at] as number;
      if (this.#depth === 0) {
        if (SPACE.has(code)) continue;
        if (code !== CODE.brace) {
          const letter = JSON.stringify(String.fromCharCode(code)).slice(1, -1);
          throw new JsonError(`invalid character '${letter}' looking for beginning of value`);
        }
        start = at;
      }
      this.#step(code);
      if (this.#depth > 0) continue;
      this.#pieces.push(chunk.subarray(start, at + 1));
      const text = Buffer.concat(this.#pieces).toString();
      this.#pieces = [];
      this.#bytes = 0;
      start = -1;
      take(text);
    }
    if (start < 0) return;
    this.#pieces.push(chunk.subarray(start));
    this.#bytes += chunk.length - start;
    if (this.#bytes > this.#mostBytes) throw new JsonError("the message is too large");
  }

  #step(code: number): void {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (code === CODE.backslash) this.#isEscaped = true;
      else if (code === CODE.quote) this.#isInString = false;
    } else if (code === CODE.quote) this.#isInString = true;
    else if (code === CODE.brace || code === CODE.bracket) this.#depth++;
    else if (code === CODE.close || code === CODE.closeBracket) this.#depth--;
  }
}
