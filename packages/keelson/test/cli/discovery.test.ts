import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { EtcdServer } from "@keelson/etcd/server";
import { systemClock } from "../../src/base/clock.ts";
import { parseConfiguration } from "../../src/base/configuration.ts";
import { KeelError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { run } from "../../src/cli/program.ts";
import { DiscoveryService } from "../../src/discovery/service.ts";
import { recordingTerminal } from "./recording-terminal.ts";

let dataDir: string;
let server: EtcdServer;
let service: DiscoveryService;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "keelson-discovery-"));
  server = await EtcdServer.start({ dataDir, listen: [] });
  const listen = [{ host: "127.0.0.1", port: 0 }];
  service = await DiscoveryService.start({ keys: server.keys, listen, clock: systemClock, log: silentLog });
});

after(async () => {
  await service[Symbol.asyncDispose]();
  await server.close();
  await rm(dataDir, { recursive: true });
});

async function keel(...argv: readonly string[]) {
  const terminal = recordingTerminal({ env: { KEEL_DISCOVERY: service.url } });
  const code = await run(["discovery", ...argv], terminal);
  return { code, out: terminal.stdout(), err: terminal.stderr() };
}

describe("keel discovery", () => {
  test("makes a token, and says who has come to it", async () => {
    const made = await keel("new", "--size", "2");
    assert.equal(made.code, 0);
    const url = made.out.trim();
    for (const id of ["9a", "1b", "5c"]) {
      const body = new URLSearchParams({ value: `m${id}=http://10.0.0.1:2380` });
      await fetch(`${url}/${id}?prevExist=false`, { method: "PUT", body });
    }
    const shown = await keel("show", url.slice(-32));
    assert.match(shown.out, /^a cluster of 2: all have come; forgotten in (1d 0h|23h 59m)\n/);
    assert.match(shown.out, /9a +m9a +http:\/\/10\.0\.0\.1:2380 +yes\n1b .* yes\n5c .* no: came too late\n/);
    const json = JSON.parse((await keel("show", url, "-o", "json")).out) as {
      readonly members: readonly { readonly id: string }[];
    };
    assert.deepEqual(
      json.members.map(({ id }) => id),
      ["9a", "1b", "5c"],
    );
  });

  test("says what is wrong", async () => {
    assert.equal((await keel("new", "--size", "0")).code, 2);
    assert.equal((await keel("new", "--size", "1000")).code, 2);
    assert.equal((await keel("new", "--service", "nonsense")).code, 2);
    assert.equal((await keel("serve", "--data-dir", "a", "--endpoints", "http://b")).code, 2);
    assert.equal((await keel("serve", "--listen", "nowhere")).code, 2);
    assert.equal((await keel("show", "0".repeat(32))).code, 7);
    const silent = await keel("new", "--service", "http://127.0.0.1:1");
    assert.equal(silent.code, 9);
    assert.match(silent.err, /no discovery service answers/);
  });
});

test("keeld's configuration has a section for it", () => {
  const configuration = (discovery: object): string =>
    JSON.stringify({
      cluster: "c",
      roles: ["leader"],
      address: "127.0.0.1",
      store: { endpoints: ["http://127.0.0.1:2379"] },
      discovery,
    });
  const listen = [{ host: "127.0.0.1", port: 8087 }];
  const { discovery } = parseConfiguration(configuration({ listen }), "test");
  assert.deepEqual(discovery, { listen, tokenSeconds: 86_400 });
  for (const wrong of [
    {},
    { listen: [] },
    { listen, publicUrl: "http://a/b" },
    { listen, tokenSeconds: 1 },
    { listen, more: 1 },
  ])
    assert.throws(() => parseConfiguration(configuration(wrong), "test"), KeelError);
});
