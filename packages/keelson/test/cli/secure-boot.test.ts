// Secure Boot's keys on the command line: what is made, and every mistake before a build begins.
import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { run } from "../../src/cli/program.ts";
import { readEnrolled } from "../../src/secure-boot/enrolment.ts";
import { recordingTerminal } from "./recording-terminal.ts";

describe("Secure Boot on the command line", () => {
  let folder = "";
  const at = (...names: readonly string[]): string => join(folder, ...names);

  async function keel(
    ...args: readonly string[]
  ): Promise<{ readonly code: number; readonly words: string }> {
    const terminal = recordingTerminal({ cwd: folder });
    const code = await run(["os", ...args], terminal);
    return { code, words: terminal.stdout() + terminal.stderr() };
  }

  const build = (...args: readonly string[]): Promise<{ readonly code: number; readonly words: string }> =>
    keel("build", "--mirror", "http://127.0.0.1:9/", ...args);

  const pair = (key: string, certificate: string): readonly string[] => [
    "--sign-key",
    key,
    "--sign-certificate",
    certificate,
  ];

  async function refused(code: string, told: RegExp, ...args: readonly string[]): Promise<void> {
    const { code: status, words } = await build(...args);
    assert.ok(status !== 0 && words.includes(code), words);
    assert.match(words, told);
    assert.doesNotMatch(words, /BEGIN|correct horse/);
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-secure-boot-"));
    const open = await keel("keys", "secure-boot", "open", "--no-passphrase", "--name", "Example & Co");
    assert.equal(open.code, 0, open.words);
    assert.match(open.words, /NOT encrypted/);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test("keys are made with what firmware takes", async () => {
    const names = ["PK", "KEK", "db"].flatMap((name) =>
      ["auth", "cer", "key", "pem"].map((end) => `${name}.${end}`),
    );
    assert.deepEqual((await readdir(at("open"))).toSorted(), names.toSorted());
    assert.equal((await stat(at("open/db.key"))).mode & 0o777, 0o600);
    const certificate = new X509Certificate(await readFile(at("open/db.pem")));
    assert.equal(certificate.subject, "CN=Example & Co db");
    assert.deepEqual(await readFile(at("open/db.cer")), certificate.raw);
    const enrolled = readEnrolled(await readFile(at("open/db.auth")));
    assert.deepEqual(enrolled?.certificates[0]?.raw, certificate.raw);
    const again = await keel("keys", "secure-boot", "open", "--no-passphrase");
    assert.match(again.words, /KEEL-834/);
  });

  test("a key or a certificate that cannot be used is told before anything is built", async () => {
    const cert = ["--sign-certificate", "open/db.pem"];
    await refused("KEEL-104", /belong together/, "--sign-key", "open/db.key");
    await refused("KEEL-833", /cannot be read/, "--sign-key", "missing.key", ...cert);
    await refused("KEEL-833", /no PEM file/, "--sign-key", "open/db.cer", ...cert);
    await writeFile(at("private.pem"), await readFile(at("open/db.pem")), { mode: 0o600 });
    await refused("KEEL-833", /no private key/, "--sign-key", "private.pem", ...cert);
    await refused("KEEL-341", /cannot be read/, "--sign-key", "open/db.key", "--sign-certificate", "none");
    await refused(
      "KEEL-341",
      /no certificate in PEM form[^]*openssl x509/,
      ...pair("open/db.key", "open/db.cer"),
    );
    await refused("KEEL-341", /holds a private key/, ...pair("open/db.key", "open/db.key"));
    await refused(
      "KEEL-341",
      /not the certificate of[^]*CN=Example & Co KEK/,
      ...pair("open/db.key", "open/KEK.pem"),
    );
    const other = await keel("keys", "new", "release.key", "--no-passphrase");
    assert.equal(other.code, 0, other.words);
    await refused("KEEL-341", /no RSA key/, "--sign-key", "release.key", ...cert);
    await chmod(at("open/KEK.key"), 0o644);
    await refused("KEEL-833", /others may read it/, "--sign-key", "open/KEK.key", ...cert);
    const key = createPrivateKey(await readFile(at("open/db.key")));
    const cipher = { cipher: "aes-256-cbc", passphrase: "correct horse battery" };
    const locked = key.export({ type: "pkcs8", format: "pem", ...cipher });
    await writeFile(at("locked.key"), locked);
    await writeFile(at("passphrase"), "another passphrase\n");
    const passphrase = ["--sign-passphrase-file", "passphrase"];
    await refused(
      "KEEL-833",
      /passphrase is another one/,
      "--sign-key",
      "locked.key",
      ...cert,
      ...passphrase,
    );
    await refused("KEEL-104", /is for --sign-key/, ...passphrase);
    await writeFile(at("passphrase"), "correct horse battery\n");
    // Unlocked: what is wrong now is the certificate.
    const others = ["--sign-certificate", "open/PK.pem", ...passphrase];
    await refused("KEEL-341", /not the certificate of/, "--sign-key", "locked.key", ...others);
  });

  test("keys that would lock a machine out of the build are not enrolled with it", async () => {
    const signed = ["--sign-key", "open/db.key", "--sign-certificate", "open/db.pem"];
    await mkdir(at("mixed"));
    for (const name of ["PK", "KEK"]) await copyFile(at("open", `${name}.auth`), at("mixed", `${name}.auth`));
    await copyFile(at("open/KEK.auth"), at("mixed/db.auth"));
    await refused("KEEL-342", /does not hold the certificate/, ...signed, "--enrol", "mixed");
    await writeFile(at("mixed/PK.auth"), "garbage");
    await refused("KEEL-342", /PK\.auth sets no certificate/, ...signed, "--enrol", "mixed");
    await refused("KEEL-342", /PK\.auth cannot be read/, ...signed, "--enrol", "nowhere");
    await refused("KEEL-104", /for a signed build/, "--enrol", "open");
  });
});
