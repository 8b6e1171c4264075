// Certificates by the real openssl, checked by Node's own TLS.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect, createServer } from "node:tls";
import type { AddressInfo } from "node:net";
import { Authority } from "../../src/authority/authority.ts";
import { certificateFacts, certificateProblem } from "../../src/authority/certificate.ts";
import { keepPrivateKey } from "../../src/authority/private-key.ts";
import { signingRequest } from "../../src/authority/signing-request.ts";
import { systemClock } from "../../src/base/clock.ts";

const machine = "0123456789abcdef0123456789abcdef";
const dayMs = 86_400_000;

describe("authority", () => {
  let folder = "";
  let authority: Authority;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-authority-"));
    authority = await Authority.keep(join(folder, "ca"), "demo", systemClock);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const make = async (use: "client" | "member", addresses: readonly string[]) => {
    const key = await keepPrivateKey(join(folder, `${use}.key`));
    const request = await signingRequest(key, folder);
    return { key, certificate: await authority.sign({ request, use, name: machine, addresses }) };
  };

  test("its key is readable by its owner only, and nothing else stays behind", async () => {
    assert.deepEqual((await readdir(join(folder, "ca"))).sort(), ["ca.crt", "ca.key"]);
    assert.equal((await stat(join(folder, "ca/ca.key"))).mode & 0o777, 0o600);
    assert.equal((await stat(join(folder, "ca"))).mode & 0o777, 0o700);
  });

  test("it is the same after a restart", async () => {
    const again = await Authority.keep(join(folder, "ca"), "demo", systemClock);
    assert.equal(again.fingerprint, authority.fingerprint);
    assert.equal(await Authority.open(join(folder, "none"), systemClock), undefined);
  });

  test("a certificate carries the name and addresses that the authority decides", async () => {
    const { certificate } = await make("member", ["10.0.0.7", "m1", "fd00::7"]);
    const read = new X509Certificate(certificate);
    assert.match(read.subject, new RegExp(`CN=${machine}$`));
    assert.equal(read.checkIP("10.0.0.7"), "10.0.0.7");
    assert.equal(read.checkIP("10.0.0.8"), undefined);
    assert.equal(read.checkHost("m1"), "m1");
    assert.equal(read.ca, false);
    assert.ok(read.verify(new X509Certificate(authority.certificate).publicKey));
    assert.equal(certificateFacts(certificate).name, machine);
  });

  test("every certificate has a serial number of its own", async () => {
    await make("client", []);
    const serials = await Promise.all(
      [1, 2, 3].map(async () => new X509Certificate((await make("client", [])).certificate).serialNumber),
    );
    assert.equal(new Set(serials).size, 3);
  });

  test("a member and a client meet over TLS, and a stranger is refused", async () => {
    const member = await make("member", ["127.0.0.1"]);
    const client = await make("client", []);
    const pem = (key: typeof member.key) => key.export({ type: "pkcs8", format: "pem" });
    const server = createServer(
      {
        key: pem(member.key),
        cert: member.certificate,
        ca: authority.certificate,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (socket) => socket.end(String(socket.getPeerCertificate().subject["CN"])),
    ).listen(0, "127.0.0.1");
    await new Promise((done) => server.once("listening", done));
    const { port } = server.address() as AddressInfo;
    const ask = (own: object) =>
      new Promise<string>((done) => {
        const socket = connect({ port, host: "127.0.0.1", ca: authority.certificate, ...own });
        let text = "";
        socket.on("data", (chunk) => (text += String(chunk)));
        socket.on("error", (error) => done(`refused: ${error.message}`));
        socket.on("end", () => done(text));
      });
    assert.equal(await ask({ key: pem(client.key), cert: client.certificate }), machine);
    assert.match(await ask({}), /^refused/);
    server.close();
  });

  test("what is wrong with a certificate is said in words", async () => {
    const { key, certificate } = await make("member", ["10.0.0.7"]);
    const now = Date.now();
    const needs = { authority: authority.certificate, key, now };
    assert.equal(certificateProblem(certificate, needs), undefined);
    assert.equal(certificateProblem(undefined, needs), "there is none yet");
    assert.match(certificateProblem("nonsense", needs) ?? "", /no certificate/);
    assert.match(certificateProblem(certificate, { ...needs, addresses: ["10.0.0.9"] }) ?? "", /10\.0\.0\.9/);
    const later = { ...needs, now: now + 61 * dayMs };
    assert.equal(certificateProblem(certificate, later), "it expires before long");
    assert.equal(certificateProblem(certificate, { ...needs, now: now + 91 * dayMs }), "it has expired");
    const other = await keepPrivateKey(join(folder, "other.key"));
    assert.equal(certificateProblem(certificate, { ...needs, key: other }), "it belongs to another key");
    const foreign = await Authority.keep(join(folder, "foreign"), "demo", systemClock);
    const strange = { ...needs, authority: foreign.certificate };
    assert.equal(certificateProblem(certificate, strange), "another authority signed it");
  });

  test("a request that proves nothing, and names that are none, are refused", async () => {
    const key = await keepPrivateKey(join(folder, "client.key"));
    const request = await signingRequest(key, folder);
    const sign = (over: object) =>
      authority.sign({ request, use: "member", name: machine, addresses: [], ...over });
    const lines = request.split("\n");
    const forged = [
      ...lines.slice(0, 3),
      lines[3]?.replace(/^./, (c) => (c === "A" ? "B" : "A")),
      ...lines.slice(4),
    ];
    const code = { code: "KEEL-411" };
    await assert.rejects(async () => sign({ request: forged.join("\n") }), code);
    await assert.rejects(async () => sign({ request: "garbage" }), code);
    await assert.rejects(async () => sign({ request: "x".repeat(9000) }), code);
    await assert.rejects(async () => sign({ name: "m1/CN=root" }), code);
    await assert.rejects(async () => sign({ addresses: ["m1,IP:8.8.8.8"] }), code);
    await assert.rejects(async () => sign({ addresses: ["a\nb"] }), code);
  });

  test("a key file that holds something else is not overwritten", async () => {
    const path = join(folder, "bad.key");
    await writeFile(path, "nothing");
    await assert.rejects(keepPrivateKey(path), { code: "KEEL-411" });
    assert.equal(await readFile(path, "utf8"), "nothing");
  });
});
