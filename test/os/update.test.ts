// Updates on the real image, from a server on the host: refused files, a full disk, a power cut in the middle, the new
// version on trial and blessed, and the way back. One machine goes through all of it.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import { TestMachine } from "./support/machine.ts";
import { serveReleases } from "./support/release-server.ts";
import type { ReleaseServer } from "./support/release-server.ts";
import { testImage, writeTestRelease } from "./support/releases.ts";
import type { TestRelease } from "./support/releases.ts";

const old = "0.1.0";
const fresh = "0.2.0";
const slow = { timeoutMs: 240_000 };

describe("updates of the real image", () => {
  let folder: string;
  let release: TestRelease;
  let server: ReleaseServer;
  let machine: TestMachine;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-update-"));
    const image = await testImage(old);
    release = await writeTestRelease(await testImage(fresh), folder);
    server = await serveReleases(folder);
    machine = await TestMachine.boot({ image: image.disk, diskBytes: 5 * 2 ** 30, outward: true });
    await machine.untilStarted(slow);
  });

  after(async () => {
    await machine?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const update = (more = ""): ReturnType<TestMachine["ssh"]> =>
    machine.ssh(`keel os update --from ${server.url} --to ${fresh} -o json ${more}`, { timeoutMs: 400_000 });
  const status = async (): Promise<Status> =>
    JSON.parse(await machine.sh("keel os status -o json", slow)) as Status;
  const runningVersion = async (): Promise<string> =>
    (await machine.sh(". /etc/os-release; echo $VERSION_ID", slow)).trim();

  test("a spoiled kernel is refused before the other slot is touched", async () => {
    const head = "dd if=/dev/vda3 bs=1M count=8 iflag=direct status=none | sha256sum";
    const slot = await machine.sh(head, slow);
    server.spoiled = release.manifest.kernel.name;
    const { code, stderr } = await update();
    server.spoiled = undefined;
    assert.equal(code, 1, stderr);
    assert.equal((JSON.parse(stderr) as { error: { code: string } }).error.code, "KEEL-807");
    assert.equal(await machine.sh(head, slow), slot);
    assert.equal((await status()).next.version, old);
  });

  test("a full state partition is told, and changes nothing", async () => {
    await machine.sh("dd if=/dev/zero of=/var/filler bs=1M status=none 2>/dev/null; sync; true", slow);
    const { code, stderr } = await update();
    await machine.sh("rm /var/filler", slow);
    assert.equal(code, 1, stderr);
    assert.equal((JSON.parse(stderr) as { error: { code: string } }).error.code, "KEEL-809");
    assert.equal((await status()).next.version, old);
  });

  test("a power cut in the middle: the running version starts, and the download goes on", async () => {
    server.sent = 0;
    const cut = update().catch(() => undefined);
    while (server.sent < release.manifest.root.size / 2) await sleep(100);
    // What was kept must have reached the disk for there to be something to go on from.
    await machine.sh("sync", slow);
    await machine.powerCut();
    await cut;
    await machine.start();
    await machine.untilStarted(slow);
    assert.equal(await runningVersion(), old);
    const found = await status();
    assert.equal(found.update?.state, "interrupted");
    assert.equal(found.next.version, old);
    const { code, stderr, stdout } = await update();
    assert.equal(code, 0, stderr);
    assert.equal((JSON.parse(stdout) as { how: string }).how, "full");
    assert.ok((server.offsets.at(-1) ?? 0) > 0, `asked from ${server.offsets.join()}`);
    assert.deepEqual((await status()).next, { version: fresh, because: "update" });
  });

  test("the next restart starts it, on trial until the gate blesses it", async () => {
    const before = machine.restarts;
    await machine.sh("systemctl start --no-block reboot.target", slow);
    await machine.untilRestarts(before + 1, slow);
    await machine.untilStarted(slow);
    assert.equal(await runningVersion(), fresh);
    await untilBlessed(machine);
    const found = await status();
    assert.equal(found.running.version, fresh);
    assert.equal(found.running.trial, undefined);
    assert.equal(found.other.version, old);
    assert.match(await machine.sh("keel os verify", { timeoutMs: 600_000 }), /every block of it/);
  });

  test("going back by hand starts the version before", async () => {
    const before = machine.restarts;
    await machine.sh("keel os rollback --now", slow);
    await machine.untilRestarts(before + 1, slow);
    await machine.untilStarted(slow);
    assert.equal(await runningVersion(), old);
    const kinds = JSON.parse(await machine.sh("keel os history -o json", slow)) as {
      events: { kind: string }[];
    };
    assert.deepEqual(
      kinds.events.map(({ kind }) => kind).filter((kind) => ["staged", "rollback"].includes(kind)),
      ["staged", "rollback"],
    );
  });
});

interface Status {
  readonly running: { readonly version: string; readonly trial?: object };
  readonly other: { readonly version?: string };
  readonly next: { readonly version: string; readonly because: string };
  readonly update?: { readonly state: string };
}

async function untilBlessed(machine: TestMachine): Promise<void> {
  for (const end = performance.now() + 300_000 * machine.accelerator.slowness; ; await sleep(2000)) {
    if ((await machine.ssh("test -e /run/keelson/blessed", slow)).code === 0) return;
    assert.ok(performance.now() < end, await machine.sh("journalctl -b -u keelson-gate.service -n 50", slow));
  }
}
