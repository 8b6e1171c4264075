// A bounded tree of XML elements. Entities beyond XML's own five, and document types, are refused.
import { SaxesParser } from "saxes";
import { OmahaError } from "./error.ts";

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
}

interface OpenElement extends Element {
  readonly children: OpenElement[];
}

export interface XmlLimits {
  /** Most characters of the document. */
  readonly characters: number;
  readonly depth: number;
  readonly elements: number;
}

const defaults: XmlLimits = { characters: 256 * 1024, depth: 16, elements: 4096 };

/** Reads a document into its root element. Text between elements has no meaning in Omaha and is dropped. */
export function readElement(xml: string, limits: XmlLimits = defaults): Element {
  if (xml.length > limits.characters)
    throw new OmahaError(
      "TOO_LARGE",
      `the document has ${xml.length} characters, more than ${limits.characters}`,
    );
  const open: OpenElement[] = [];
  let root: OpenElement | undefined;
  let count = 0;
  const parser = new SaxesParser();
  parser.on("error", (cause) => {
    throw new OmahaError("NOT_XML", cause.message, { cause });
  });
  parser.on("doctype", () => {
    throw new OmahaError("NOT_XML", "a document type is not accepted");
  });
  parser.on("opentag", ({ name, attributes }) => {
    if (++count > limits.elements) throw new OmahaError("TOO_LARGE", `more than ${limits.elements} elements`);
    if (open.length >= limits.depth)
      throw new OmahaError("TOO_LARGE", `elements nested deeper than ${limits.depth}`);
    const element: OpenElement = { name, attributes: { ...attributes }, children: [] };
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  parser.on("closetag", () => void open.pop());
  parser.write(xml).close();
  if (!root) throw new OmahaError("NOT_XML", "the document has no element");
  return root;
}
