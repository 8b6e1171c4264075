import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EtcdServer } from "@keelson/etcd/server";
import { run } from "../../src/cli/program.ts";
import { recordingTerminal } from "./recording-terminal.ts";

async function keel(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const terminal = recordingTerminal();
  const code = await run(argv, terminal);
  return { code, stdout: terminal.stdout(), stderr: terminal.stderr() };
}

test("keel store check: intact, in use, damaged, no store", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "keelson-check-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const none = await keel("store", "check", dir);
  assert.match(none.stderr, /holds no store/);
  assert.equal(none.code, 1);
  {
    await using _server = await EtcdServer.start({ dataDir: dir, listen: [] });
    const used = await keel("store", "check", dir);
    assert.match(used.stderr, /KEEL-701/);
    assert.equal(used.code, 8);
  }
  const intact = await keel("store", "check", dir);
  assert.match(intact.stdout, /intact: revision 1, 0 keys, 0 leases\n$/);
  assert.equal(intact.code, 0);
  const [name = ""] = await readdir(join(dir, "log"));
  const file = join(dir, "log", name);
  const bytes = await readFile(file);
  bytes[5] = 0;
  await writeFile(file, bytes);
  const damaged = await keel("store", "check", dir, "-o", "json");
  assert.equal(damaged.code, 1);
  const document = JSON.parse(damaged.stdout) as {
    intact: boolean;
    damage: { path: string; offset: number }[];
  };
  assert.equal(document.intact, false);
  assert.deepEqual(
    document.damage.map(({ path, offset }) => [path, offset]),
    [[file, 0]],
  );
  const text = await keel("store", "check", dir);
  assert.match(text.stdout, /^DAMAGED .*0000000000000001\.log, byte 0: /m);
});
