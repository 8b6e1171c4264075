import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { HpackDecoder } from "../../../../src/server/transport/http2/hpack/decoder.ts";
import { indexed, literal, NO_TABLE, status } from "../../../../src/server/transport/http2/hpack/encoder.ts";
import { huffmanCodes, huffmanText } from "../../../../src/server/transport/http2/hpack/huffman.ts";
import { ConnectionError } from "../../../../src/server/transport/http2/protocol.ts";

/** RFC 7541, appendix C: blocks that follow each other on one connection, and what they say. */
const VECTORS: Readonly<
  Record<string, { table: number; blocks: readonly (readonly [hex: string, fields: string])[] }>
> = {
  "C.2.1 a literal that is kept": {
    table: 4096,
    blocks: [["400a637573746f6d2d6b65790d637573746f6d2d686561646572", "custom-key: custom-header"]],
  },
  "C.2.2 a literal that is not kept": {
    table: 4096,
    blocks: [["040c2f73616d706c652f70617468", ":path: /sample/path"]],
  },
  "C.2.3 a literal that is never kept": {
    table: 4096,
    blocks: [["100870617373776f726406736563726574", "password: secret"]],
  },
  "C.2.4 an index": { table: 4096, blocks: [["82", ":method: GET"]] },
  "C.3 requests without Huffman": {
    table: 4096,
    blocks: [
      [
        "828684410f7777772e6578616d706c652e636f6d",
        ":method: GET|:scheme: http|:path: /|:authority: www.example.com",
      ],
      [
        "828684be58086e6f2d6361636865",
        ":method: GET|:scheme: http|:path: /|:authority: www.example.com|cache-control: no-cache",
      ],
      [
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        ":method: GET|:scheme: https|:path: /index.html|:authority: www.example.com|custom-key: custom-value",
      ],
    ],
  },
  "C.4 requests with Huffman": {
    table: 4096,
    blocks: [
      [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        ":method: GET|:scheme: http|:path: /|:authority: www.example.com",
      ],
      [
        "828684be5886a8eb10649cbf",
        ":method: GET|:scheme: http|:path: /|:authority: www.example.com|cache-control: no-cache",
      ],
      [
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ":method: GET|:scheme: https|:path: /index.html|:authority: www.example.com|custom-key: custom-value",
      ],
    ],
  },
  "C.5 answers without Huffman, with a small table": {
    table: 256,
    blocks: [
      [
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        ":status: 302|cache-control: private|date: Mon, 21 Oct 2013 20:13:21 GMT|location: https://www.example.com",
      ],
      [
        "4803333037c1c0bf",
        ":status: 307|cache-control: private|date: Mon, 21 Oct 2013 20:13:21 GMT|location: https://www.example.com",
      ],
      [
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
        ":status: 200|cache-control: private|date: Mon, 21 Oct 2013 20:13:22 GMT|location: https://www.example.com|content-encoding: gzip|set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
      ],
    ],
  },
  "C.6 answers with Huffman, with a small table": {
    table: 256,
    blocks: [
      [
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        ":status: 302|cache-control: private|date: Mon, 21 Oct 2013 20:13:21 GMT|location: https://www.example.com",
      ],
      [
        "4883640effc1c0bf",
        ":status: 307|cache-control: private|date: Mon, 21 Oct 2013 20:13:21 GMT|location: https://www.example.com",
      ],
      [
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        ":status: 200|cache-control: private|date: Mon, 21 Oct 2013 20:13:22 GMT|location: https://www.example.com|content-encoding: gzip|set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
      ],
    ],
  },
};

const LARGE = 1 << 20;
const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

function decode(block: Buffer, table = 4096): readonly string[] | undefined {
  return new HpackDecoder(table, LARGE).decode(block);
}

/** A string as a client with Huffman coding writes it. */
function coded(text: string): Buffer {
  const codes = new Map(huffmanCodes().map((code) => [code.symbol, code]));
  let bits = "";
  for (const byte of bytes(text)) {
    const { code, length } = codes.get(byte) as { code: number; length: number };
    bits += code.toString(2).padStart(length, "0");
  }
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1");
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2)));
}

describe("HPACK", () => {
  for (const [name, { table, blocks }] of Object.entries(VECTORS)) {
    test(`RFC 7541, ${name}`, () => {
      const decoder = new HpackDecoder(table, LARGE);
      for (const [hex, fields] of blocks) {
        const expected = fields.split("|").flatMap((field) => {
          const colon = field.indexOf(": ", 1);
          return [field.slice(0, colon), field.slice(colon + 2)];
        });
        assert.deepEqual(decoder.decode(Buffer.from(hex, "hex")), expected);
      }
    });
  }

  test("any text survives Huffman coding", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary-ascii", maxLength: 100 }),
        fc.string({ unit: "grapheme" }),
        (one, two) => {
          const text = one + Buffer.from(two).toString("latin1");
          const code = coded(text);
          assert.equal(huffmanText(code, 0, code.length), text);
        },
      ),
    );
  });

  test("what is padded wrongly, or codes the end, is no text", () => {
    for (const hex of ["1e", "1fff", "ffffffff", "fffffffc00"]) {
      const code = Buffer.from(hex, "hex");
      assert.throws(() => huffmanText(code, 0, code.length), { number: 9 }, hex);
    }
    assert.equal(huffmanText(Buffer.from("1f", "hex"), 0, 1), "a");
  });

  test("fields that the encoder writes are read as they were", () => {
    const name = fc.stringMatching(/^[a-z0-9-]{1,40}$/);
    const value = fc.stringMatching(/^[!-~]{0,300}$/);
    const field = fc.tuple(name, value, fc.boolean());
    fc.assert(
      fc.property(fc.array(field, { maxLength: 30 }), (fields) => {
        const block = fields
          .map(([itsName, itsValue, isKept]) => literal(itsName, itsValue, isKept))
          .join("");
        assert.deepEqual(
          decode(bytes(block)),
          fields.flatMap(([itsName, itsValue]) => [itsName, itsValue]),
        );
      }),
    );
    assert.deepEqual(decode(bytes(status(200) + status(415))), [":status", "200", ":status", "415"]);
  });

  test("the table forgets the oldest first, and all when it is resized to nothing", () => {
    // Each field takes 34 bytes of 70.
    const decoder = new HpackDecoder(70, LARGE);
    const [a, b, c] = ["a", "b", "c"].map((name) => literal(name, "1", true));
    decoder.decode(bytes(`${a}${b}${c}`));
    assert.deepEqual(decoder.decode(bytes(indexed(62) + indexed(63))), ["c", "1", "b", "1"]);
    assert.throws(() => decoder.decode(bytes(indexed(64))), { number: 9 });
    decoder.decode(bytes(literal("long", "x".repeat(100), true)));
    assert.throws(() => decoder.decode(bytes(indexed(62))), { number: 9 });
    decoder.decode(bytes(String(a)));
    assert.throws(() => decoder.decode(bytes(NO_TABLE + indexed(62))), { number: 9 });
  });

  test("the table cannot be made larger than allowed, nor in the middle of a block", () => {
    assert.throws(() => decode(Buffer.from("3fe21f", "hex")), { number: 9 });
    assert.deepEqual(decode(Buffer.from("3fe11f82", "hex")), [":method", "GET"]);
    assert.throws(() => decode(Buffer.from("8220", "hex")), { number: 9 });
  });

  test("a header bomb is counted, not kept: one byte cannot stand for kilobytes without end", () => {
    const decoder = new HpackDecoder(4096, 10_000);
    decoder.decode(bytes(literal("bomb", "x".repeat(4000), true)));
    assert.equal(decoder.decode(bytes(indexed(62).repeat(60_000))), undefined);
    assert.equal(decoder.decode(bytes(indexed(62).repeat(2)))?.length, 4);
  });

  test("names are lower case, and values have no line ends", () => {
    for (const block of [
      literal("Upper", ""),
      literal("with space", ""),
      literal("a", "b\r\nc: d"),
      literal("a", "\0"),
    ]) {
      assert.throws(() => decode(bytes(block)), { number: 1 });
    }
    assert.deepEqual(decode(bytes(literal("grpc-trace-bin", "\x80\xff"))), ["grpc-trace-bin", "\x80\xff"]);
  });

  test("garbage is refused, and nothing else happens", () => {
    const table = bytes(literal("a", "b", true) + literal("c", "d", true));
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 5 }), (blocks) => {
        const decoder = new HpackDecoder(256, 1000);
        decoder.decode(table);
        try {
          for (const block of blocks) decoder.decode(Buffer.from(block));
        } catch (error) {
          assert.ok(error instanceof ConnectionError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
