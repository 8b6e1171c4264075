// Documents that went wrong: characters changed, left out, doubled and put in.
import fc from "fast-check";

const awkward = fc.constantFrom(
  ...Array.from("<>&\"'/=!?-[]; \n;#x"),
  "<!--",
  "-->",
  "]]>",
  "<![CDATA[",
  "<?",
  "?>",
  "&#",
  "&#x0;",
  "&lt;",
  "</a>",
  "<a>",
  "<!DOCTYPE a>",
  "\u0000",
  "\ud800",
  "\uffff",
  "é",
);

interface Change {
  readonly at: number;
  readonly remove: number;
  readonly insert: string;
}

const change: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(),
  remove: fc.oneof(fc.constant(0), fc.constant(1), fc.nat(30)),
  insert: fc.oneof(fc.constant(""), awkward, fc.string({ maxLength: 5 })),
});

export const mutated = (originals: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(originals, fc.array(change, { minLength: 1, maxLength: 4 })).map(([original, changes]) =>
    changes.reduce((text, { at, remove, insert }) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + insert + text.slice(place + remove);
    }, original),
  );
