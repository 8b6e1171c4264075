// The embedded store's directory through moves: put aside, taken back, confirmed, forgotten.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../../../etcd/test/free-port.ts";
import { parseConfiguration } from "../../src/base/configuration.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { EmbeddedStore } from "../../src/daemons/embedded-store.ts";
import { EtcdStore } from "../../src/registry/etcd-store.ts";

test("the embedded store begins anew, is taken back, and is confirmed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "keelson-embedded-"));
  const port = await freePort();
  const endpoints = [`http://127.0.0.1:${port}`];
  const listen = [{ host: "127.0.0.1", port }];
  const configuration = parseConfiguration(
    JSON.stringify({
      cluster: "test",
      roles: ["store"],
      address: "127.0.0.1",
      store: { endpoints, listen, dataDir: join(folder, "store") },
    }),
    "test",
  );
  await using embedded = new EmbeddedStore({ configuration, name: "host", log: silentLog });
  const around = { clock: systemClock, random: systemRandom, log: silentLog };
  const value = async (): Promise<string> => {
    await using store = new EtcdStore({ endpoints, ...around });
    const { values } = await store.range({ key: "/k" });
    return Buffer.from(values[0]?.value ?? []).toString();
  };
  const write = async (text: string): Promise<void> => {
    await using store = new EtcdStore({ endpoints, ...around });
    await store.txn({ compare: [], write: [{ put: "/k", value: text }] });
  };
  await embedded.start();
  await write("first");
  await embedded.begin();
  assert.equal(await value(), "");
  await write("half");
  await embedded.giveUp();
  assert.equal(await value(), "first", "what was begun is gone, what was put aside is back");
  await embedded.giveUp();
  assert.equal(await value(), "first", "taking back twice does no harm");
  await embedded.begin();
  await write("second");
  await embedded.confirm(2);
  await embedded.giveUp();
  assert.equal(await value(), "second", "what was confirmed is not taken back");
  assert.deepEqual((await readdir(folder)).toSorted(), ["store", "store.old-2"]);
  assert.deepEqual(await embedded.forget(false), [join(folder, "store.old-2")]);
  assert.equal(await value(), "second");
  assert.deepEqual(await embedded.forget(true), [join(folder, "store")]);
  assert.equal(embedded.hasData, false);
  await rm(folder, { recursive: true });
});
