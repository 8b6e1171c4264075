import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { HostSettings } from "../../src/local/host-settings.ts";

function fakeHost(
  forward: string,
  instances: string,
): {
  readonly settings: () => HostSettings;
  readonly values: () => string[];
  readonly write: (instances: string) => void;
  readonly records: string;
  readonly [Symbol.dispose]: () => void;
} {
  const folder = mkdtempSync(join(tmpdir(), "settings-"));
  const files = [join(folder, "net/ipv4/ip_forward"), join(folder, "fs/inotify/max_user_instances")] as const;
  mkdirSync(join(folder, "net/ipv4"), { recursive: true });
  mkdirSync(join(folder, "fs/inotify"), { recursive: true });
  writeFileSync(files[0], forward);
  writeFileSync(files[1], instances);
  const records = join(folder, "records");
  return {
    settings: () => new HostSettings({ sysDirectory: folder, recordDirectory: records }),
    values: () => files.map((file) => readFileSync(file, "utf8").trim()),
    write: (value) => writeFileSync(files[1], value),
    records,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

describe("settings of the host", () => {
  test("are raised where they are too low, and put back by another process", async () => {
    using host = fakeHost("0\n", "128\n");
    await host.settings().raise();
    await host.settings().raise();
    assert.deepEqual(host.values(), ["1", "8192"]);
    await host.settings().restore();
    assert.deepEqual(host.values(), ["0", "128"]);
    assert.ok(!existsSync(host.records));
    await host.settings().restore();
  });

  test("stay as they are where they are enough", async () => {
    using host = fakeHost("1\n", "65536\n");
    await host.settings().raise();
    assert.deepEqual(host.values(), ["1", "65536"]);
    assert.ok(!existsSync(host.records));
  });

  test("that somebody else changed since are left to him", async () => {
    using host = fakeHost("1\n", "128\n");
    await host.settings().raise();
    host.write("10000\n");
    await host.settings().restore();
    assert.deepEqual(host.values(), ["1", "10000"]);
  });
});
