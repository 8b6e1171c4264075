// Well-formed documents of the kind the scanner reads, in all the ways in which they can be written.
import fc from "fast-check";

const name = fc.constantFrom("app", "os", "a", "b", "request", "event", "x:y", "_", "a.b-1");

/** Characters that XML has, the awkward ones often. */
export const character = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...Array.from("abcXYZ019 {}-_.=/+:")) },
  { weight: 2, arbitrary: fc.constantFrom(...Array.from("<>&\"'\t\n\r]")) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("é", "Ω", "\u0085", "\u2028", "\ufffd", "\u{1f600}", "\u{10ffff}"),
  },
);

const named = new Map([
  ["<", "lt"],
  [">", "gt"],
  ["&", "amp"],
  ['"', "quot"],
  ["'", "apos"],
]);

/** A character as it may stand in a value or a text: itself, or a reference. */
const written = fc.tuple(character, fc.nat(3)).map(([one, how]) => {
  const code = one.codePointAt(0) ?? 0;
  const entity = named.get(one);
  if (how === 1) return `&#${code};`;
  if (how === 2) return `&#x${code.toString(16)};`;
  return entity === undefined ? (how === 3 ? `&#x${code.toString(16).toUpperCase()};` : one) : `&${entity};`;
});

const text = fc.array(written, { maxLength: 12 }).map((parts) => parts.join(""));
const space = fc.constantFrom(" ", "\n", "\t", "\r\n", "  ");
const maybeSpace = fc.option(space, { nil: "" });
const comment = fc.constantFrom("<!-- a - b -->", "<!---->", "<!--<&>-->");

const attributes = fc
  .uniqueArray(fc.tuple(name, text, fc.boolean(), space, maybeSpace), {
    selector: ([attribute]) => attribute,
    maxLength: 5,
  })
  .map((all) =>
    all
      .map(([attribute, value, isSingle, before, around]) => {
        const quote = isSingle ? "'" : '"';
        return `${before}${attribute}${around}=${around}${quote}${value}${quote}`;
      })
      .join(""),
  );

const { element } = fc.letrec<{ element: string; content: string }>((tie) => ({
  element: fc
    .tuple(name, attributes, maybeSpace, fc.option(fc.array(tie("content"), { maxLength: 3 })))
    .map(([tag, list, end, content]) =>
      content === null ? `<${tag}${list}${end}/>` : `<${tag}${list}${end}>${content.join("")}</${tag}${end}>`,
    ),
  content: fc.oneof({ maxDepth: 4 }, text, space, comment, tie("element")),
}));

const declaration = fc.constantFrom(
  "",
  "\ufeff",
  '<?xml version="1.0"?>',
  '<?xml version="1.0" encoding="UTF-8"?>\n',
  "\ufeff<?xml version='1.0' encoding='utf-8' standalone='yes' ?>",
);
const around = fc.oneof(maybeSpace, comment);

export const documents: fc.Arbitrary<string> = fc
  .tuple(declaration, around, element, around)
  .map((parts) => parts.join(""));
