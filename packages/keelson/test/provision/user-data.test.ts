import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { readUserData } from "../../src/provision/user-data.ts";
import type { Reading } from "../../src/provision/cloud-config/read-cloud-config.ts";

const read = (text: string): Reading => readUserData(Buffer.from(text));
const problems = (reading: Reading): string => reading.findings.map(({ message }) => message).join("; ");

const message = (...parts: string[]): string =>
  [
    'Content-Type: multipart/mixed; boundary="==B=="',
    "MIME-Version: 1.0",
    "",
    ...parts.flatMap((part) => ["--==B==", part]),
    "--==B==--",
    "",
  ].join("\n");
const cloudPart = "Content-Type: text/cloud-config\n\n#cloud-config\nhostname: a";

describe("user data", () => {
  test("may be packed with gzip", () => {
    assert.equal(readUserData(gzipSync("#cloud-config\nhostname: a\n")).config?.hostname, "a");
  });

  test("of one part of a message, with lines counted from the message's beginning", () => {
    assert.equal(read(message(cloudPart)).config?.hostname, "a");
    const encoded = `Content-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\n${Buffer.from("#cloud-config\nhostname: b\n").toString("base64")}`;
    assert.equal(read(message(encoded).replaceAll("\n", "\r\n")).config?.hostname, "b");
    const wrong = read(message(cloudPart.replace("hostname", "hostnam")));
    assert.equal(wrong.findings[0]?.line, 8);
  });

  test("tells which parts of a message are left out", () => {
    const { config, findings } = read(message(cloudPart, "Content-Type: text/x-shellscript\n\n#!/bin/sh"));
    assert.equal(config?.hostname, "a");
    assert.deepEqual(
      findings.map(({ severity, message: words }) => [severity, words]),
      [["warning", "a part of the message is not applied: text/x-shellscript"]],
    );
  });

  test("of nothing asks for nothing", () => {
    assert.deepEqual(read("  \n").config?.users, []);
  });

  const refused: readonly (readonly [string, RegExp])[] = [
    ["#!/bin/sh\necho hello", /scripts are not run/],
    ["hello", /neither a cloud-config nor Ignition/],
    ["#cloud-config-archive\n- type: x", /neither/],
    [message(cloudPart, cloudPart), /more than one part/],
    [message("Content-Type: text/plain\n\nhello"), /no part/],
    [message(cloudPart).replace("--==B==--", ""), /cut off/],
    [message(`Content-Transfer-Encoding: quoted-printable\n${cloudPart}`), /another way than base64/],
    [message("Content-Type: text/plain"), /end of its headers/],
  ];
  for (const [text, pattern] of refused)
    test(`is refused: ${JSON.stringify(text.slice(-60))}`, () => {
      const reading = read(text);
      assert.equal(reading.config, undefined);
      assert.match(problems(reading), pattern);
    });

  test("that unpacks to very much is refused before it does", () => {
    const bomb = gzipSync(Buffer.alloc(64 << 20));
    assert.match(problems(readUserData(bomb)), /damaged, or more than/);
    assert.match(problems(readUserData(Buffer.from([0x1f, 0x8b, 1, 2, 3]))), /damaged/);
    assert.match(problems(readUserData(Buffer.alloc(600 << 10))), /larger than 512 KiB/);
    assert.match(problems(readUserData(Buffer.from([0xff, 0xfe, 0xfd]))), /no UTF-8/);
  });

  test("of any bytes is read or refused, and never throws", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.constantFrom(
          "",
          "#cloud-config\n",
          '{"ignition":',
          "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n--a\n",
        ),
        (bytes, start) => {
          const reading = readUserData(Buffer.concat([Buffer.from(start), bytes]));
          assert.ok(reading.config !== undefined || reading.findings.length > 0);
        },
      ),
    );
  });
});
