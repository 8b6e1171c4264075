// The same message written otherwise is the same message: attributes in another order and other quotes, white
// space, comments and text between elements, elements nobody knows.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readRequest, readResponse, requestLimits, responseLimits } from "../src/index.ts";
import type { Element } from "../src/xml/element.ts";
import { scan } from "../src/xml/scan.ts";
import { recordings } from "./recordings.ts";

const limits = { ...responseLimits, attributes: 100 };
const noise = ["", " ", "\n\t", "<!-- a -->", "text &amp; more", '<unknown b="c"><app/></unknown>', "<hw/>"];

/** Writes an element again; `choose` picks among what is the same. */
function rewritten(element: Element, choose: (below: number) => number): string {
  const pick = <T>(options: readonly T[]): T => options[choose(options.length)] as T;
  const list: string[] = [];
  for (let at = 0; at < element.attributes.length; at += 2) {
    const quote = pick(['"', "'"]);
    const value = (element.attributes[at + 1] ?? "").replaceAll(
      /[<&"']/g,
      (one) => `&#${one.charCodeAt(0)};`,
    );
    const equals = pick(["=", " = ", "=\n"]);
    list.splice(choose(list.length + 1), 0, `${element.attributes[at]}${equals}${quote}${value}${quote}`);
  }
  const start = `<${element.name}${list.map((one) => pick([" ", "\n  ", "\t"]) + one).join("")}`;
  const content = element.children.map((one) => rewritten(one, choose) + pick(noise)).join("");
  return content === "" && choose(2) === 0
    ? `${start}${pick(["", " "])}/>`
    : `${start}>${pick(noise)}${content}</${element.name}${pick(["", " "])}>`;
}

const choices = fc.infiniteStream(fc.nat());
const chooser =
  (stream: Iterator<number>) =>
  (below: number): number =>
    ((stream.next().value as number | undefined) ?? 0) % below;

describe("the same, written otherwise, is read as the same", () => {
  test("of recorded requests", () => {
    fc.assert(
      fc.property(fc.constantFrom(...recordings), choices, ({ request }, stream) => {
        const text = rewritten(scan(request, limits), chooser(stream));
        assert.deepEqual(readRequest(text, { ...requestLimits, depth: 12 }), readRequest(request), text);
      }),
    );
  });

  test("of recorded responses", () => {
    fc.assert(
      fc.property(fc.constantFrom(...recordings), choices, ({ response }, stream) => {
        const text = rewritten(scan(response, limits), chooser(stream));
        assert.deepEqual(readResponse(text), readResponse(response), text);
      }),
    );
  });
});
