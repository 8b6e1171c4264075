// Garbage: whatever comes in, it is a message or an OmahaError that says where, and soon.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  OmahaError,
  printRequest,
  printResponse,
  readRequest,
  readResponse,
  requestLimits,
} from "../src/index.ts";
import { documents } from "./documents.ts";
import { mutated } from "./mutations.ts";
import { recordings } from "./recordings.ts";

/** A test that hangs is stopped; one that is only slow is not judged. */
const hanging = { timeout: 60_000 };

const codes = ["TOO_LARGE", "NOT_UTF8", "NOT_XML", "NOT_OMAHA", "UNSUPPORTED_PROTOCOL", "BAD_VALUE"];

/** Reads it either way; what can be read can be printed and read again. */
function feed(source: string | Uint8Array): void {
  const attempt = (read: () => void): void => {
    try {
      read();
    } catch (error) {
      assert.ok(error instanceof OmahaError, `${String(error)} for ${JSON.stringify(source)}`);
      assert.ok(codes.includes(error.code), error.code);
      const { position } = error;
      assert.ok(position, error.message);
      assert.ok(position.offset >= 0 && position.offset <= source.length, error.message);
      assert.ok(position.line >= 1 && position.column >= 1, error.message);
    }
  };
  attempt(() => {
    const request = readRequest(source);
    assert.deepEqual(readRequest(printRequest(request)), request);
  });
  attempt(() => {
    const response = readResponse(source);
    assert.deepEqual(readResponse(printResponse(response)), response);
  });
}

/** Any UTF-16 unit, halves of pairs too; the low ones often. */
const unit = fc.oneof(fc.nat(0x7f), fc.nat(0xffff)).map((code) => String.fromCharCode(code));

const originals = fc.constantFrom(...recordings.flatMap(({ request, response }) => [request, response]));

describe("garbage is an OmahaError with a position, or a message", () => {
  test("recordings with characters changed", () => {
    fc.assert(fc.property(mutated(originals), feed), { numRuns: 3000 });
  });

  test("recordings with bytes changed", () => {
    const change = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(originals, fc.array(change, { minLength: 1, maxLength: 4 }), (original, changes) => {
        const bytes = Buffer.from(original);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        feed(bytes);
      }),
      { numRuns: 1500 },
    );
  });

  test("recordings cut off anywhere", () => {
    const { request = "", response = "" } = recordings[0] ?? {};
    for (const whole of [request.trimEnd(), response])
      for (let length = 0; length < whole.length; length++) {
        assert.throws(() => readRequest(whole.slice(0, length)), OmahaError);
        assert.throws(() => readResponse(Buffer.from(whole.slice(0, length))), OmahaError);
      }
  });

  test("random text, bytes and documents", () => {
    fc.assert(fc.property(fc.string({ unit, maxLength: 200 }), feed));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), feed));
    fc.assert(fc.property(documents, feed));
  });

  test("what is made to take long, as long as may be", hanging, () => {
    const { bytes } = requestLimits;
    const open = '<request protocol="3.0">';
    const pieces = [
      "<",
      "&",
      "]",
      "]]",
      "<!--",
      "<!---",
      "-",
      "<a>",
      "<a ",
      "<a b='",
      "</a>",
      "<app appid='a'>",
      "<event/>",
      "&amp;",
      "&#x41;",
      "é",
      "\r",
      " a=''",
      "<?xml ",
      "&#0000",
    ];
    for (const piece of pieces)
      for (const start of ["", open, `${open}<app appid="`, `${open}<app `, `${open}<!--`]) {
        const count = Math.floor((bytes - start.length) / Buffer.byteLength(piece));
        feed(start + piece.repeat(count));
        feed(Buffer.from(start + piece.repeat(count)));
      }
    const attributes = Array.from({ length: requestLimits.attributes }, (_, place) => `a${place}=""`).join(
      " ",
    );
    feed(`${open}${`<app appid="a" ${attributes}/>`.repeat(100)}</request>`);
    feed(`${open}${`<x ${attributes}/>`.repeat(130)}</request>`);
    feed(new Uint8Array(bytes).fill(0xff));
    feed(Buffer.concat([Buffer.alloc(bytes - 1, "é"), Buffer.from([0xc3])]));
    feed("x".repeat(10_000_000));
  });

  test("and what is read keeps nothing of what nobody asked for", () => {
    const request = readRequest('<request protocol="3.0" a="1"><x><app appid="no"/></x></request>');
    assert.deepEqual(request.apps, []);
  });
});
