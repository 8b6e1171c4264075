// Messages of all kinds with every field there is, each of them there or not.
import fc from "fast-check";
import type { OmahaRequest, OmahaResponse } from "../src/index.ts";
import type { Fields } from "../src/fields.ts";
import {
  appFields,
  eventFields,
  osFields,
  pingFields,
  requestFields,
  updateCheckFields,
} from "../src/request.ts";
import {
  acknowledgementFields,
  actionFields,
  appAnswerFields,
  dayStartFields,
  manifestFields,
  packageFields,
  responseFields,
  updateAnswerFields,
  urlFields,
} from "../src/response.ts";
import { character } from "./documents.ts";

const text = fc.array(character, { maxLength: 20 }).map((characters) => characters.join(""));
const number = fc.oneof(fc.constantFrom(0, -1, 2 ** 31, -(2 ** 31)), fc.maxSafeInteger());
const kinds = { text, number, exact: number, truth: fc.boolean(), digit: fc.boolean() };

const others = fc
  .uniqueArray(fc.tuple(fc.constantFrom("x1", "_y", "z:z", "__proto__", "toString"), text), {
    selector: ([name]) => name,
    minLength: 1,
    maxLength: 3,
  })
  .map((entries) => {
    const record = Object.create(null) as Record<string, string>;
    for (const [name, value] of entries) record[name] = value;
    return record;
  });

type Parts = Record<string, fc.Arbitrary<unknown>>;

/** An object of a table's fields, each there or not, with `parts` always or (`maybe`) sometimes. */
function object<T>(table: Fields<T>, parts: Parts = {}, maybe: Parts = {}): fc.Arbitrary<unknown> {
  const own = Object.fromEntries(table.inOrder.map(({ name, kind }) => [name, kinds[kind]]));
  const all: Parts = { ...own, others, ...maybe, ...parts };
  return fc.record(all, { requiredKeys: Object.keys(parts), noNullPrototype: true });
}

const some = (one: fc.Arbitrary<unknown>): fc.Arbitrary<unknown[]> => fc.array(one, { maxLength: 3 });
const id = text.filter((value) => value !== "");
const protocol = fc.constantFrom("3.0", "3.1");
const acknowledgement = object(acknowledgementFields);

export const requests = object(
  requestFields,
  {
    protocol,
    apps: some(
      object(
        appFields,
        { id, events: some(object(eventFields, { type: number, result: number })) },
        { ping: object(pingFields), updateCheck: object(updateCheckFields) },
      ),
    ),
  },
  { os: object(osFields) },
) as fc.Arbitrary<OmahaRequest>;

const manifest = object(manifestFields, {
  packages: some(object(packageFields)),
  actions: some(object(actionFields)),
});
const updateAnswer = object(updateAnswerFields, {
  urls: some(object(urlFields)),
  manifests: some(manifest),
});

export const responses = object(
  responseFields,
  {
    protocol,
    apps: some(
      object(
        appAnswerFields,
        { id, events: some(acknowledgement) },
        { ping: acknowledgement, updateCheck: updateAnswer },
      ),
    ),
  },
  { dayStart: object(dayStartFields) },
) as fc.Arbitrary<OmahaResponse>;
