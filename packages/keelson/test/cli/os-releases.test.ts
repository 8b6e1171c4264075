// A release's whole life on a publisher's machines: keys, roots, signing in turns, channels, deltas, rotation.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { verifyChannel } from "../../src/releases/channel.ts";
import { writeEnvelope } from "../../src/releases/envelope.ts";
import { emptyMemory } from "../../src/releases/machine.ts";
import { releaseEnvelope, verifyRelease } from "../../src/releases/release.ts";
import { accepted } from "../../src/releases/refusal.ts";
import { followRoots } from "../../src/releases/root.ts";
import { day, makeManifest } from "../releases/ceremony.ts";
import { runKeel } from "./run-keel.ts";
import type { Ran } from "./run-keel.ts";

describe("releases on the command line", () => {
  let folder = "";
  const at = (...names: readonly string[]): string => join(folder, ...names);
  const nowSeconds = (): number => Math.floor(Date.now() / 1000);

  const keel = (...args: readonly string[]): Promise<Ran> => runKeel(["os", ...args], { cwd: folder });

  async function done(...args: readonly string[]): Promise<Ran> {
    const ran = await keel(...args);
    assert.equal(ran.code, 0, ran.stderr);
    return ran;
  }

  async function fails(code: string, ...args: readonly string[]): Promise<void> {
    const ran = await keel(...args);
    assert.ok(ran.code !== 0 && ran.stderr.includes(code), `${args.join(" ")}: ${ran.stderr || ran.stdout}`);
  }

  const base = randomBytes(100 * 4096);
  const changed = Buffer.concat([base.subarray(0, 40_960), randomBytes(4096), base.subarray(45_056)]);

  /** What a build leaves behind. */
  async function build(version: string, image: Uint8Array): Promise<void> {
    await mkdir(at(version));
    const plain = makeManifest({ version, created: nowSeconds(), expires: nowSeconds() + 90 * day });
    const named = async (
      name: string,
      content: Uint8Array,
    ): Promise<{ name: string; size: number; sha256: string }> => {
      await writeFile(at(version, name), content);
      return { name, size: content.byteLength, sha256: createHash("sha256").update(content).digest("hex") };
    };
    const { sbom, deltas: _, ...rest } = plain;
    assert.ok(sbom);
    const unpacked = { size: image.byteLength, sha256: createHash("sha256").update(image).digest("hex") };
    const manifest = {
      ...rest,
      root: { ...plain.root, ...(await named(plain.root.name, zstdCompressSync(image))), unpacked },
      kernel: await named(plain.kernel.name, randomBytes(2000)),
      sbom: await named(sbom.name, Buffer.from("{}\n")),
    };
    await writeFile(at(version, manifestName(version)), writeEnvelope(releaseEnvelope(manifest)));
  }

  const manifestName = (version: string): string => `keelson_${version}_vm_amd64.manifest.json`;
  const manifest = (version: string): string => join(version, manifestName(version));

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keel-releases-"));
    await writeFile(at("words"), "correct horse battery staple\n");
    await writeFile(at("other"), "another passphrase\n");
    await build("1.0.0", base);
    await build("1.1.0", changed);
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test("keys are encrypted unless asked otherwise, and never overwritten", async () => {
    await done("keys", "new", "root-1", "--passphrase-file", "words");
    for (const name of ["root-2", "release-1", "release-2", "late"])
      await done("keys", "new", name, "--no-passphrase");
    const ran = await done("keys", "new", "online", "--no-passphrase", "-o", "json");
    assert.equal(ran.json.encrypted, false);
    assert.match(await readFile(at("root-1"), "utf8"), /^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    assert.equal((await stat(at("online"))).mode & 0o777, 0o600);
    assert.equal((await done("keys", "show", "online.pub", "-o", "json")).json.keys[0].id, ran.json.id);
    await fails("KEEL-834", "keys", "new", "online", "--no-passphrase");
    await fails("KEEL-833", "keys", "new", "unguarded");
    await fails("KEEL-833", "keys", "show", "words");
  });

  test("a root needs its root keys’ signatures, which are added in turns", async () => {
    const keys = ["--root-key", "root-1.pub", "--root-key", "root-2.pub", "--release-key", "release-1.pub"];
    const thresholds = ["--threshold", "root=2", "--threshold", "release=2"];
    await fails(
      "KEEL-821",
      "root",
      "init",
      "root.1.json",
      ...keys,
      "--channel-key",
      "online.pub",
      ...thresholds,
    );
    await done(
      "root",
      "init",
      "root.1.json",
      ...keys,
      "--channel-key",
      "online.pub",
      "--threshold",
      "root=2",
    );
    await done(
      "root",
      "add-key",
      "root.1.json",
      "--release-key",
      "release-2.pub",
      "--threshold",
      "release=2",
    );
    await copyFile(at("root.1.json"), at("copy.json"));
    await done("root", "sign", "root.1.json", "--key", "root-1", "--passphrase-file", "words");
    await fails("KEEL-833", "root", "sign", "copy.json", "--key", "root-1", "--passphrase-file", "other");
    await fails("KEEL-833", "root", "sign", "copy.json", "--key", "root-1");
    await done("root", "sign", "copy.json", "--key", "root-2");
    await fails("KEEL-822", "release", "verify", "1.0.0", "--trust", "root.1.json");
    const { json } = await done("root", "sign", "root.1.json", "--add", "copy.json", "-o", "json");
    assert.equal(json.signatures.length, 2);
    await fails("KEEL-834", "root", "add-key", "root.1.json", "--release-key", "late.pub");
    assert.match((await done("root", "show", "root.1.json")).stdout, /release: 2 of release-1 .*release-2/);
  });

  test("a delta is proven, and named in the manifest before it is signed", async () => {
    const ran = await done(
      "release",
      "delta",
      manifest("1.0.0"),
      manifest("1.1.0"),
      "--level",
      "3",
      "-o",
      "json",
    );
    assert.ok(ran.json.bytes < 8192, `${ran.json.bytes}`);
    assert.deepEqual(
      (await readdir(at("1.1.0"))).filter((name) => name.startsWith(".")),
      [],
    );
    await fails("KEEL-832", "release", "delta", manifest("1.1.0"), manifest("1.1.0"));
  });

  test("a release counts when enough have signed, and every file is as it was", async () => {
    for (const version of ["1.0.0", "1.1.0"]) {
      await done("release", "sign", manifest(version), "--key", "release-1");
      await fails("KEEL-822", "release", "verify", version, "--trust", "root.1.json");
      await done("release", "sign", manifest(version), "--key", "release-2");
      const { json } = await done("release", "verify", version, "--trust", "root.1.json", "-o", "json");
      assert.equal(json.releases[0].signers.length, 2);
    }
    await fails("KEEL-834", "release", "delta", manifest("1.0.0"), manifest("1.1.0"));
    const kernel = at("1.1.0", "keelson_1.1.0_vm_amd64.efi");
    const good = await readFile(kernel);
    await writeFile(kernel, Buffer.concat([good, Buffer.of(0)]));
    await fails("KEEL-836", "release", "verify", "1.1.0", "--trust", "root.1.json");
    await writeFile(kernel, Buffer.concat([good.subarray(1), Buffer.of(0)]));
    await fails("KEEL-828", "release", "verify", "1.1.0", "--trust", "root.1.json");
    await rm(kernel);
    await fails("KEEL-828", "release", "verify", "1.1.0", "--trust", "root.1.json");
    await writeFile(kernel, good);
    await done("release", "verify", "1.1.0", "--trust", "root.1.json");
    assert.match((await done("release", "show", manifest("1.1.0"))).stdout, /release 1\.1\.0 for vm amd64/);
  });

  const pointerName = "channel.stable_vm_amd64.json";
  const machine = {
    product: "keelson-os",
    variant: "vm",
    architecture: "amd64",
    version: "1.0.0",
    epoch: 1,
  } as const;

  test("a channel points at a signed release, with the channel’s key and a number that grows", async () => {
    const online = ["--channel", "stable", "--to", ".", "--trust", "root.1.json", "--key"];
    await fails(
      "KEEL-822",
      "release",
      "channel",
      "point",
      manifest("1.0.0"),
      ...online,
      "release-1",
      "--passphrase-file",
      "words",
    );
    await done("release", "channel", "point", manifest("1.0.0"), ...online, "online");
    await done("release", "channel", "renew", pointerName, "--trust", "root.1.json", "--key", "online");
    const { json } = await done(
      "release",
      "channel",
      "point",
      manifest("1.1.0"),
      ...online,
      "online",
      "-o",
      "json",
    );
    assert.equal(json.pointer.counter, 2);
    const now = nowSeconds();
    const { root: trust } = accepted(followRoots(await readFile(at("root.1.json")), [], now));
    const about = { trust, machine, memory: emptyMemory, now };
    const { pointer } = accepted(
      verifyChannel(await readFile(at(pointerName)), { ...about, channel: "stable" }),
    );
    const release = accepted(verifyRelease(await readFile(at(manifest("1.1.0"))), { ...about, pointer }));
    assert.equal(release.manifest.deltas?.[0]?.from, "1.0.0");
  });

  test("a leave to go back is signed in turns, too", async () => {
    const leave = [
      "--reason",
      "1.1.0 loses disks",
      "--to",
      "leave.json",
      "--key",
      "release-1",
      "--passphrase-file",
      "words",
    ];
    await done("release", "downgrade", "allow", manifest("1.0.0"), ...leave);
    await done(
      "release",
      "downgrade",
      "sign",
      "leave.json",
      "--key",
      "release-2",
      "--passphrase-file",
      "words",
    );
    assert.match((await done("release", "show", "leave.json")).stdout, /leave to go back to 1\.0\.0/);
    await fails("KEEL-834", "release", "downgrade", "allow", manifest("1.0.0"), ...leave);
  });

  test("keys are rotated by a root that the old and the new keys signed", async () => {
    const { json } = await done("keys", "show", "root-2.pub", "release-2.pub", "-o", "json");
    const gone = json.keys.flatMap(({ id }: { id: string }) => ["--remove-key", id.slice(0, 12)]);
    const words = ["--passphrase-file", "words"];
    const next = ["rotate", "root.1.json", "--to", "root.2.json", "--new-generation"];
    await done("root", ...next, "--root-key", "late.pub", "--release-key", "late.pub", ...gone);
    await done("root", "sign", "root.2.json", "--key", "root-1", ...words, "--key", "late", ...words);
    const early = await done("release", "verify", "1.1.0", "--trust", "root.1.json");
    assert.match(early.stderr, /root 1 is the last that can be believed/);
    await done("root", "sign", "root.2.json", "--key", "root-2", ...words);
    await fails("KEEL-822", "release", "verify", "1.1.0", "--trust", "root.1.json");
    await done("release", "sign", manifest("1.1.0"), "--key", "late", ...words);
    const late = await done("release", "verify", "1.1.0", "--trust", "root.1.json", "-o", "json");
    assert.equal(late.json.root, 2);
    const renewed = [
      "channel",
      "renew",
      pointerName,
      "--trust",
      "root.1.json",
      "--key",
      "online",
      "-o",
      "json",
    ];
    const { pointer } = (await done("release", ...renewed)).json;
    assert.deepEqual([pointer.generation, pointer.counter], [1, 0]);
    await fails(
      "KEEL-104",
      "root",
      "rotate",
      "root.2.json",
      "--to",
      "root.3.json",
      "--remove-key",
      "0000000000",
    );
  });

  test("what is no document is refused, and no secret is told", async () => {
    await writeFile(at("garbage"), randomBytes(300_000));
    for (const command of [
      ["release", "show"],
      ["root", "show"],
      ["release", "sign"],
      ["root", "sign"],
    ])
      await fails("KEEL-821", ...command, "garbage", ...(command[1] === "sign" ? ["--key", "online"] : []));
    await fails("KEEL-104", "release", "show", "nothing");
    const wrong = await keel("root", "sign", "root.2.json", "--key", "root-1", "--passphrase-file", "other");
    assert.doesNotMatch(wrong.stderr, /another passphrase|correct horse/);
  });
});
