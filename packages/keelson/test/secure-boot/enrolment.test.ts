import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { runCommand } from "../../src/local/command.ts";
import {
  der,
  elements,
  inContext,
  integer,
  octets,
  oid,
  sequence,
  setOf,
} from "../../src/secure-boot/der.ts";
import { enrolmentFile, keyVariables, makeEnrolment, readEnrolled } from "../../src/secure-boot/enrolment.ts";
import { ids } from "../../src/secure-boot/object-ids.ts";
import { guidBytes, readSignatureLists } from "../../src/secure-boot/signature-list.ts";
import { variables } from "../../src/secure-boot/variables.ts";
import { newSigner, now } from "./small-program.ts";

describe("DER", () => {
  test("is read as it was written", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (parts) => {
        const [whole] = elements(sequence(...parts.map(octets))) ?? [];
        assert.deepEqual(
          elements(whole?.content ?? Buffer.alloc(0))?.map(({ content }) => new Uint8Array(content)),
          parts,
        );
      }),
    );
    assert.equal(octets(Buffer.alloc(70_000)).subarray(0, 5).toString("hex"), "0483011170");
  });

  test("has the one form of numbers and names", () => {
    assert.equal(integer(0).toString("hex"), "020100");
    assert.equal(integer(128).toString("hex"), "02020080");
    assert.equal(integer(Buffer.from("0000ff", "hex")).toString("hex"), "020200ff");
    assert.equal(oid("1.2.840.113549.1.7.2").toString("hex"), "06092a864886f70d010702");
    assert.equal(setOf(integer(2), integer(1)).toString("hex"), "3106020101020102");
  });

  test("that is none is told apart, whatever its bytes", () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void elements(Buffer.from(bytes))));
    for (const broken of ["30", "3005", "308001", "30840fffffff00", "1f0100"])
      assert.equal(elements(Buffer.from(broken, "hex")), undefined, broken);
  });
});

describe("keys for firmware", () => {
  const signers = { PK: newSigner("PK"), KEK: newSigner("KEK"), db: newSigner("db") };
  const owner = "01234567-89ab-4def-8123-456789abcdef";
  const files = makeEnrolment(signers, { owner, seconds: now });
  let folder = "";
  before(async () => void (folder = await mkdtemp(join(tmpdir(), "keelson-enrolment-"))));
  after(() => rm(folder, { recursive: true, force: true }));

  test("hold one certificate each, of the variable that they set", () => {
    for (const name of keyVariables) {
      const enrolled = readEnrolled(files.get(enrolmentFile(name)) ?? Buffer.alloc(0));
      assert.deepEqual(
        enrolled?.certificates.map(({ subject }) => subject),
        [`CN=${name}`],
      );
    }
    assert.equal(guidBytes(owner).toString("hex"), "67452301ab89ef4d8123456789abcdef");
  });

  test("are signed by who may set them: openssl agrees", async () => {
    for (const [name, by] of [
      ["PK", "PK"],
      ["KEK", "PK"],
      ["db", "KEK"],
    ] as const) {
      const file = files.get(enrolmentFile(name)) ?? Buffer.alloc(0);
      const end = 16 + file.readUInt32LE(16);
      const at = (part: string): string => join(folder, `${name}.${part}`);
      const attributes = Buffer.from([0x27, 0, 0, 0]);
      const signed = [Buffer.from(name, "utf16le"), guidBytes(variables[name]), attributes];
      await writeFile(at("data"), Buffer.concat([...signed, file.subarray(0, 16), file.subarray(end)]));
      await writeFile(at("p7"), sequence(ids.signedData, der(inContext(0), file.subarray(16 + 8 + 16, end))));
      await writeFile(at("pem"), signers[by].certificate.toString());
      const argv = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", at("p7")];
      argv.push("-content", at("data"), "-CAfile", at("pem"), "-purpose", "any", "-no_check_time");
      await runCommand([...argv, "-out", "/dev/null"]);
    }
  });

  test("are not seen in garbage", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(1500), (bytes, at) => {
        readEnrolled(Buffer.from(bytes));
        readSignatureLists(Buffer.from(bytes));
        const file = Buffer.from(files.get("db.auth") ?? []);
        file.set(bytes.subarray(0, Math.max(0, file.length - at)), Math.min(at, file.length));
        readEnrolled(file);
      }),
    );
    assert.equal(readEnrolled(Buffer.alloc(100)), undefined);
  });
});
