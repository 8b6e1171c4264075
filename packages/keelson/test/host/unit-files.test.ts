import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { KeelError } from "../../src/base/errors.ts";
import type { UnitNote } from "../../src/host/host.ts";
import { UnitFiles } from "../../src/host/unit-files.ts";

const note: UnitNote = { hash: "", desired: "launched", restarts: 0, fenced: true };
const service = "[Service]\nExecStart=/usr/bin/sleep infinity\n";

async function stage() {
  const folder = await mkdtemp(join(tmpdir(), "keelson-units-"));
  const calls: string[] = [];
  const foreign = join(folder, "foreign");
  await mkdir(foreign);
  const directories = {
    systemd: join(folder, "systemd"),
    quadlet: join(folder, "quadlet"),
    foreign: [foreign],
  };
  const installer = {
    enable: (names: readonly string[]) => Promise.resolve(void calls.push(`enable ${names.join(" ")}`)),
    disable: (names: readonly string[]) => Promise.resolve(void calls.push(`disable ${names.join(" ")}`)),
  };
  const open = () => UnitFiles.open(join(folder, "run/units.json"), directories, installer);
  const end = () => rm(folder, { recursive: true });
  return { folder, calls, directories, foreign, open, [Symbol.asyncDispose]: end };
}

describe("UnitFiles", () => {
  test("writes byte for byte, remembers over a restart, and removes", async () => {
    await using it = await stage();
    const first = await it.open();
    const body = `${service}# ü\r\n\\\n\n`;
    const { unit, reload } = await first.write("a.service", body, note);
    assert.equal(reload, false);
    assert.equal(await readFile(join(it.directories.systemd, "a.service"), "utf8"), body);
    const second = await it.open();
    assert.deepEqual((await second.written()).get("a.service"), unit);
    assert.equal((await second.write("a.service", service, note)).reload, true);
    await second.remove("a.service");
    assert.equal((await (await it.open()).written()).size, 0);
  });

  test("a Quadlet lies where podman looks, needs a reload, and is known by its service", async () => {
    await using it = await stage();
    const files = await it.open();
    const web = await files.write(
      "web@1.container",
      "[Container]\nImage=x\n[Install]\nWantedBy=a.target\n",
      note,
    );
    assert.equal(web.reload, true);
    assert.equal(web.unit.service, "web@1.service");
    assert.equal(web.unit.enabled, false, "the generator carries [Install] out");
    const network = await files.write("app.network", "[Network]\n", note);
    assert.equal(network.unit.service, "app-network.service");
    assert.ok(await readFile(join(it.directories.quadlet, "app.network")));
  });

  test("an image that is on the machine is not pulled, until the file changes or goes", async () => {
    await using it = await stage();
    const files = await it.open();
    const body = "[Image]\nImage=localhost/a:latest\n";
    const dropIn = join(it.directories.systemd, "a-image.service.d/keelson.conf");
    await files.write("a.image", body, { ...note, localImage: "localhost/a:latest" });
    assert.match(
      await readFile(dropIn, "utf8"),
      /^ExecStart=\nExecStart=.* image exists localhost\/a:latest$/m,
    );
    await files.write("a.image", body, note);
    await assert.rejects(readFile(dropIn), { code: "ENOENT" });
    await files.write("a.image", body, { ...note, localImage: "localhost/a:latest" });
    await files.remove("a.image");
    await assert.rejects(readFile(dropIn), { code: "ENOENT" });
  });

  test("[Install] is carried out, and taken back before the file changes or goes", async () => {
    await using it = await stage();
    const files = await it.open();
    const installed = `${service}[Install]\nWantedBy=multi-user.target\n`;
    assert.equal((await files.write("a.service", installed, note)).reload, true);
    await files.write("a.service", service, note);
    await files.remove("a.service");
    assert.deepEqual(it.calls, ["enable a.service", "disable a.service"]);
  });

  test("does not hide or overwrite what is the machine's own", async () => {
    await using it = await stage();
    const files = await it.open();
    await writeFile(join(it.foreign, "ssh.service"), service);
    await writeFile(join(it.directories.systemd, "mine.service"), service);
    for (const name of ["ssh.service", "ssh.container", "mine.service"]) {
      const body = name.endsWith("container") ? "[Container]\nImage=x\n" : service;
      await assert.rejects(
        files.write(name, body, note),
        (error) => error instanceof KeelError && error.code === "KEEL-505",
      );
    }
    await files.remove("mine.service");
    assert.ok(await readFile(join(it.directories.systemd, "mine.service")));
    assert.equal((await files.written()).size, 0);
  });

  test("a file that was changed or removed behind its back shows by its hash", async () => {
    await using it = await stage();
    const files = await it.open();
    await files.write("a.service", service, note);
    await files.write("b.service", service, note);
    await writeFile(join(it.directories.systemd, "a.service"), "");
    await rm(join(it.directories.systemd, "b.service"));
    const written = await files.written();
    assert.notEqual(written.get("a.service")?.hash, written.get("b.service")?.hash);
    assert.equal(written.get("b.service")?.hash, "");
  });

  test("many at once end in one manifest that holds them all", async () => {
    await using it = await stage();
    const files = await it.open();
    const names = Array.from({ length: 100 }, (_, at) => `u${at}.service`);
    await Promise.all(names.map((name) => files.write(name, service, note)));
    await Promise.all(names.slice(50).map((name) => files.remove(name)));
    assert.deepEqual([...(await (await it.open()).written()).keys()].sort(), names.slice(0, 50).sort());
  });
});
