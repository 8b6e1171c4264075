// A scanner for the part of XML 1.0 that Omaha is written in: one root, elements, attributes, the five named
// entities and character references. It is a security boundary: what it accepts, a full XML parser reads alike
// (test/xml/differential.test.ts); its time grows with the document's length and no faster; and it has no document
// types, no entities of the document's own, no CDATA sections, no processing instructions and no names beyond ASCII.
import { OmahaError, positionAt, quoted } from "../error.ts";
import type { OmahaErrorCode } from "../error.ts";
import { isCharacter, nameCharacters, nameOfCode, referred } from "./characters.ts";
import { declarationLength } from "./declaration.ts";
import type { Element, XmlLimits } from "./element.ts";

interface OpenElement extends Element {
  readonly attributes: string[];
  readonly children: OpenElement[];
}

const TAB = 0x09;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const AMPERSAND = 0x26;
const SLASH = 0x2f;
const LESS = 0x3c;
const EQUALS = 0x3d;
const GREATER = 0x3e;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;
const BRACKET = 0x5d;
const BYTE_ORDER_MARK = 0xfeff;

/** `&#x10FFFF;` is the longest reference with a meaning; leading zeros are allowed up to this. */
const LONGEST_REFERENCE = 12;

const LONGEST_NAME = 64;

/** Throws OmahaError `TOO_LARGE` before anything is done with the document. */
export function checkLength(source: string | Uint8Array, { bytes }: XmlLimits): void {
  if (source.length <= bytes) return;
  const message = `the document has ${source.length} bytes, more than ${bytes}`;
  throw new OmahaError("TOO_LARGE", message, { position: { offset: 0, line: 1, column: 1 } });
}

/**
 * Reads a document into its root element. The strings of the result do not keep the document in memory. The
 * length is the caller's to check. Throws OmahaError `TOO_LARGE` or `NOT_XML`, with the position.
 */
export function scan(text: string, limits: XmlLimits): Element {
  return new Scanner(text, limits).document();
}

class Scanner {
  readonly #text: string;
  readonly #limits: XmlLimits;
  #at = 0;
  #elements = 0;

  constructor(text: string, limits: XmlLimits) {
    this.#text = text;
    this.#limits = limits;
  }

  document(): Element {
    if (this.#text.charCodeAt(0) === BYTE_ORDER_MARK) this.#at = 1;
    const declaration = declarationLength(this.#text, this.#at);
    if (typeof declaration === "string") this.#fail("NOT_XML", declaration);
    this.#at += declaration;
    this.#aroundRoot();
    if (this.#at >= this.#text.length) this.#fail("NOT_XML", "the document has no element");
    const root = this.#tree();
    this.#aroundRoot();
    if (this.#at < this.#text.length) this.#fail("NOT_XML", "something follows the root element");
    return root;
  }

  /** White space and comments before and after the root. */
  #aroundRoot(): void {
    for (;;) {
      this.#skipSpace();
      if (!this.#text.startsWith("<!--", this.#at)) return;
      this.#comment();
    }
  }

  #tree(): Element {
    if (this.#text.charCodeAt(this.#at) !== LESS) this.#fail("NOT_XML", "text outside the root element");
    const open: OpenElement[] = [];
    const root = this.#startTag(open);
    while (open.length > 0) {
      this.#skipText();
      if (this.#at >= this.#text.length) this.#fail("NOT_XML", `<${open.at(-1)?.name}> is not closed`);
      const next = this.#text.charCodeAt(this.#at + 1);
      if (next === SLASH) this.#endTag(open);
      else if (this.#text.startsWith("<!--", this.#at)) this.#comment();
      else this.#startTag(open);
    }
    return root;
  }

  #startTag(open: OpenElement[]): OpenElement {
    const offset = this.#at;
    const { attributes: mostAttributes, elements, depth } = this.#limits;
    if (++this.#elements > elements) this.#fail("TOO_LARGE", `more than ${elements} elements`);
    if (open.length >= depth) this.#fail("TOO_LARGE", `elements nested deeper than ${depth}`);
    this.#at++;
    const name = this.#name("an element");
    const attributes: string[] = [];
    const element: OpenElement = { name, attributes, children: [], offset };
    open.at(-1)?.children.push(element);
    for (;;) {
      const spaced = this.#skipSpace();
      const code = this.#text.charCodeAt(this.#at);
      if (code === GREATER) {
        this.#at++;
        open.push(element);
        return element;
      }
      if (code === SLASH) {
        this.#at++;
        if (this.#text.charCodeAt(this.#at) !== GREATER) this.#fail("NOT_XML", "a / that closes nothing");
        this.#at++;
        return element;
      }
      if (Number.isNaN(code)) this.#fail("NOT_XML", `the document ends inside <${name}>`);
      if (!spaced) this.#fail("NOT_XML", `no white space before an attribute of <${name}>`);
      this.#attribute(attributes);
      if (attributes.length > 2 * mostAttributes)
        this.#fail("TOO_LARGE", `<${name}> has more than ${mostAttributes} attributes`);
    }
  }

  #attribute(attributes: string[]): void {
    const start = this.#at;
    const name = this.#name("an attribute");
    this.#skipSpace();
    if (this.#text.charCodeAt(this.#at) !== EQUALS) this.#fail("NOT_XML", `${name} has no value`);
    this.#at++;
    this.#skipSpace();
    const quote = this.#text.charCodeAt(this.#at);
    if (quote !== DOUBLE_QUOTE && quote !== SINGLE_QUOTE)
      this.#fail("NOT_XML", `the value of ${name} is not quoted`);
    this.#at++;
    for (let at = 0; at < attributes.length; at += 2)
      if (attributes[at] === name) this.#fail("NOT_XML", `${name} twice`, start);
    attributes.push(name, this.#value(quote));
  }

  #endTag(open: OpenElement[]): void {
    const start = this.#at;
    const expected = open.pop()?.name ?? "";
    this.#at += 2;
    if (this.#text.startsWith(expected, this.#at)) this.#at += expected.length;
    else this.#fail("NOT_XML", `an end tag where <${expected}> is open`, start);
    this.#skipSpace();
    if (this.#text.charCodeAt(this.#at) !== GREATER) this.#fail("NOT_XML", `</${expected} without >`);
    this.#at++;
  }

  /** `<!-- … -->`; two hyphens inside are refused, as XML has it. */
  #comment(): void {
    const start = this.#at;
    const end = this.#text.indexOf("--", start + 4);
    if (end < 0 || this.#text.charCodeAt(end + 2) !== GREATER)
      this.#fail("NOT_XML", "a comment that is not closed or has -- inside", start);
    for (this.#at = start + 4; this.#at < end; this.#at++) this.#character();
    this.#at = end + 3;
  }

  #name(what: string): string {
    const text = this.#text;
    const start = this.#at;
    let at = start;
    if (nameCharacters[text.charCodeAt(at)] !== 1) this.#fail("NOT_XML", `${what} without a name`);
    while (nameCharacters[text.charCodeAt(at)]) at++;
    if (at - start > LONGEST_NAME)
      this.#fail("TOO_LARGE", `a name of ${at - start} characters, more than ${LONGEST_NAME}`);
    this.#at = at;
    return text.slice(start, at);
  }

  /** Moves past white space and says whether there was any. */
  #skipSpace(): boolean {
    const text = this.#text;
    const start = this.#at;
    let at = start;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code !== SPACE && code !== LINE_FEED && code !== TAB && code !== RETURN) break;
      at++;
    }
    this.#at = at;
    return at > start;
  }

  /** Moves past text up to the next `<`. */
  #skipText(): void {
    const text = this.#text;
    for (; this.#at < text.length; this.#at++) {
      const code = text.charCodeAt(this.#at);
      if (code === LESS) return;
      if (code === AMPERSAND) {
        this.#reference();
        this.#at--;
      } else if (code === BRACKET) {
        if (text.startsWith("]]>", this.#at)) this.#fail("NOT_XML", "]]> in text");
      } else if (code < SPACE || code > 0x7e) this.#character();
    }
  }

  /** The value up to its closing quote; tabs and line ends become spaces, as XML has it. */
  #value(quote: number): string {
    const text = this.#text;
    const start = this.#at;
    let at = start;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === quote) break;
      if (code === AMPERSAND || code === LESS || code < SPACE || code > 0x7e || Number.isNaN(code))
        return this.#unusualValue(quote);
      at++;
    }
    this.#at = at + 1;
    return detached(text.slice(start, at));
  }

  #unusualValue(quote: number): string {
    const text = this.#text;
    const start = this.#at;
    let value = "";
    let copied = start;
    for (;;) {
      const at = this.#at;
      if (at >= text.length) this.#fail("NOT_XML", "a value without its closing quote", start - 1);
      const code = text.charCodeAt(at);
      if (code === quote) break;
      if (code === LESS) this.#fail("NOT_XML", "a < in a value; write &lt;");
      if (code === AMPERSAND) {
        value += text.slice(copied, at) + this.#reference();
        copied = this.#at;
      } else if (code === TAB || code === LINE_FEED || code === RETURN) {
        value += `${text.slice(copied, at)} `;
        this.#at += code === RETURN && text.charCodeAt(at + 1) === LINE_FEED ? 2 : 1;
        copied = this.#at;
      } else {
        this.#character();
        this.#at++;
      }
    }
    value += text.slice(copied, this.#at);
    this.#at++;
    return detached(value);
  }

  /** `&name;`, `&#decimal;` or `&#xhex;`. */
  #reference(): string {
    const start = this.#at;
    const end = this.#text.slice(start, start + LONGEST_REFERENCE).indexOf(";") + start;
    if (end < start) this.#fail("NOT_XML", "an & that begins no reference; write &amp;");
    const body = this.#text.slice(start + 1, end);
    const character = referred(body);
    if (character === undefined) this.#fail("NOT_XML", `${quoted(`&${body};`)} is no character`);
    this.#at = end + 1;
    return character;
  }

  /** Refuses what is no character of XML; moves to the second half of a pair. */
  #character(): void {
    const code = this.#text.codePointAt(this.#at) ?? 0;
    if (!isCharacter(code)) this.#fail("NOT_XML", `the character ${nameOfCode(code)}`);
    if (code > 0xffff) this.#at++;
  }

  #fail(code: OmahaErrorCode, message: string, offset = this.#at): never {
    const position = positionAt(this.#text, Math.min(offset, this.#text.length));
    throw new OmahaError(code, message, { position });
  }
}

/** V8 makes a slice of 13 characters and more a window into its source; what is kept for long needs its own. */
function detached(value: string): string {
  return value.length < 13 ? value : ` ${value}`.slice(1);
}
