// The image's script that tells libc the name servers, with files of the test's in place of networkd's.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, suite, test } from "node:test";
import fc from "fast-check";

const script = resolve(import.meta.dirname, "../../../../os/image/root/usr/lib/keelson/resolver");
const head = "# By networkd: networkctl status says where each comes from.";

suite("name servers of an installed machine", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-resolver-"));
  });
  after(() => rm(folder, { recursive: true }));

  const target = (): string => join(folder, "resolv.conf");
  async function resolverOf(state: string | Uint8Array | undefined): Promise<readonly string[]> {
    await rm(join(folder, "state"), { force: true });
    if (state !== undefined) await writeFile(join(folder, "state"), state);
    const env = {
      PATH: "/usr/bin:/bin",
      KEELSON_NETWORK_STATE: join(folder, "state"),
      KEELSON_RESOLVER: target(),
    };
    const { status, stderr } = spawnSync("/bin/sh", [script], { cwd: folder, env, encoding: "utf8" });
    assert.equal(status, 0, stderr);
    return (await readFile(target(), "utf8")).trimEnd().split("\n");
  }

  test("those of the network, with its domains", async () => {
    const state = "# private\nOPER_STATE=routable\nDNS=10.0.2.3 fd00::3\nDOMAINS=a.example b.example\n";
    assert.deepEqual(await resolverOf(state), [
      head,
      "nameserver 10.0.2.3",
      "nameserver fd00::3",
      "search a.example b.example",
    ]);
  });

  test("no more than libc asks, and only those that it can ask", async () => {
    const servers = [
      "192.0.2.1#dns.example",
      "192.0.2.2:5353",
      "[fd00::2]:853#dns.example",
      "fe80::1",
      "fe80::1%2",
      "localhost",
      "192.0.2.3",
      "192.0.2.4",
    ];
    assert.deepEqual(await resolverOf(`DNS=${servers.join(" ")}`), [
      head,
      "nameserver 192.0.2.1",
      "nameserver fe80::1%2",
      "nameserver 192.0.2.3",
    ]);
  });

  test("none without a network, and none of the last network", async () => {
    assert.deepEqual(await resolverOf("DNS=10.0.2.3\n"), [head, "nameserver 10.0.2.3"]);
    assert.deepEqual(await resolverOf("OPER_STATE=off\n"), [head]);
    assert.deepEqual(await resolverOf(undefined), [head]);
  });

  test("the same again leaves the file alone", async () => {
    await resolverOf("DNS=10.0.2.3\n");
    const first = await stat(target());
    await resolverOf("DNS=10.0.2.3\nOPER_STATE=routable\n");
    assert.equal((await stat(target())).ino, first.ino);
  });

  test("whatever the state says, only lines that libc knows come out", async () => {
    const garbage = fc.oneof(
      fc.string(),
      fc.constantFrom("*", "`id`", "$(id)", "..", "%", "[", "10.0.2.3;", "-e"),
    );
    await fc.assert(
      fc.asyncProperty(garbage, garbage, async (server, domain) => {
        for (const line of (await resolverOf(`DNS=${server}\nDOMAINS=${domain}\n`)).slice(1))
          assert.match(line, /^(nameserver [0-9A-Za-z:.%_-]+|search [0-9A-Za-z._ -]+)$/);
      }),
      { numRuns: 40 },
    );
  });
});
