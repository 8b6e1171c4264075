// What is left of a document when it has been read: elements and their attributes. Text between elements has
// no meaning in Omaha and is dropped.

export interface Element {
  readonly name: string;
  /** Attributes in the order sent: name, decoded value, name, decoded value. Names do not repeat. */
  readonly attributes: readonly string[];
  readonly children: readonly Element[];
  /** Where it begins, in UTF-16 units from the start of the document. */
  readonly offset: number;
}

/** What a document may have at most. */
export interface XmlLimits {
  /** Bytes; for a string, UTF-16 units. */
  readonly bytes: number;
  /** Elements inside one another, the root counted. */
  readonly depth: number;
  readonly elements: number;
  /** Attributes of one element. */
  readonly attributes: number;
}

/** The value of an attribute. */
export function valueOf({ attributes }: Element, name: string): string | undefined {
  for (let at = 0; at < attributes.length; at += 2) if (attributes[at] === name) return attributes[at + 1];
  return undefined;
}

/** The first child with this name. */
export function child(element: Element, name: string): Element | undefined {
  for (const candidate of element.children) if (candidate.name === name) return candidate;
  return undefined;
}

/** All children with this name, in order. */
export function children(element: Element, name: string): readonly Element[] {
  return element.children.filter((candidate) => candidate.name === name);
}
