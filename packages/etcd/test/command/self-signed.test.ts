import assert from "node:assert/strict";
import { X509Certificate, createPrivateKey } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { selfSigned, selfSignedFiles } from "../../src/command/self-signed.ts";

const from = new Date("2026-01-02T03:04:05Z");

describe("a self-signed certificate", () => {
  test("is sound, and for the hosts that it is made for", () => {
    const { certificate, key } = selfSigned(["127.0.0.1", "localhost", "fe80::1:2"], { from, years: 2 });
    const read = new X509Certificate(certificate);
    assert.equal(read.verify(read.publicKey), true);
    assert.equal(read.checkPrivateKey(createPrivateKey(key)), true);
    assert.equal(read.ca, false);
    assert.deepEqual(read.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    assert.equal(read.subjectAltName, "IP Address:127.0.0.1, DNS:localhost, IP Address:FE80:0:0:0:0:0:1:2");
    assert.deepEqual([read.validFromDate, read.validToDate], [from, new Date("2028-01-02T03:04:05Z")]);
    assert.equal(read.checkHost("localhost"), "localhost");
  });

  test("may be good beyond 2049", () => {
    const { certificate } = selfSigned([], { from, years: 30 });
    const read = new X509Certificate(certificate);
    assert.deepEqual(read.validToDate, new Date("2056-01-02T03:04:05Z"));
    assert.equal(read.subjectAltName, undefined);
  });

  test("is for any address", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
        // A form that mixes both is written by nobody in a URL to listen on.
        fc.pre(!/:.*\./.test(address));
        const read = new X509Certificate(selfSigned([address], { from, years: 1 }).certificate);
        assert.equal(read.checkIP(address), address);
      }),
      { numRuns: 30 },
    );
  });

  test("is made once, and its key is for its owner alone", () => {
    const folder = mkdtempSync(join(tmpdir(), "keelson-certificate-"));
    try {
      const options = { hosts: ["localhost"], years: 1, now: from };
      const files = selfSignedFiles(join(folder, "client"), options);
      const made = statSync(files.certFile).mtimeMs;
      assert.deepEqual(selfSignedFiles(join(folder, "client"), options), files);
      assert.equal(statSync(files.certFile).mtimeMs, made);
      assert.equal(statSync(files.keyFile).mode & 0o777, 0o600);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
