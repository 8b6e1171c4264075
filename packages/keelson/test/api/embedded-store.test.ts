// The life of a change over the real store: the embedded server, its log on disk, the etcd client.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { EtcdServer } from "@keelson/etcd/server";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { EtcdStore } from "../../src/registry/etcd-store.ts";
import { eventsOf, file, runApi } from "./running-api.ts";
import type { RunningApi } from "./running-api.ts";

interface Embedded extends AsyncDisposable {
  readonly running: RunningApi;
  stop(): Promise<void>;
  start(): Promise<void>;
}

async function embedded(): Promise<Embedded> {
  await using made = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), "keelson-store-"));
  made.defer(() => rm(dataDir, { recursive: true, force: true }));
  const listen = (port: number): Promise<EtcdServer> =>
    EtcdServer.start({ dataDir, listen: [{ host: "127.0.0.1", port }] });
  let server: EtcdServer | undefined = await listen(0);
  const port = server.addresses[0]?.port ?? 0;
  const stop = async (): Promise<void> => {
    await server?.[Symbol.asyncDispose]();
    server = undefined;
  };
  made.defer(stop);
  const store = made.use(
    new EtcdStore({
      endpoints: [`http://127.0.0.1:${port}`],
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    }),
  );
  const running = made.use(await runApi({ client: store }));
  const all = made.move();
  return {
    running,
    stop,
    async start() {
      server = await listen(port);
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

describe("on the embedded store", () => {
  test("submit, be refused, confirm, undo, byte for byte", async () => {
    await using it = await embedded();
    const { running } = it;
    const text = '[Service]\nExecStart=/bin/sh -c "echo \\"ü\\""\n';
    const files = [1, 2, 3, 4].map((n) => file(`u${n}.service`, `${text}# ${n}\n`));
    assert.equal((await running.operate({ kind: "submit", files, desired: "launched" })).status, 201);
    const refused = await running.operate({ kind: "destroy", units: { all: true } });
    assert.equal(refused.json.error.code, "KEEL-202");
    const destroyed = await running.operate({ kind: "destroy", units: { all: true } }, { scope: "test" });
    assert.equal(destroyed.status, 201);
    assert.equal((await running.ask({ path: "/v1/units" })).json.units.length, 0);
    assert.equal((await running.operate({ kind: "undo", operation: destroyed.json.id })).status, 201);
    assert.equal((await running.ask({ path: "/v1/units/u3.service/file" })).bytes.toString(), `${text}# 3\n`);
  });

  test("a change of more than one transaction is seen as one", async () => {
    await using it = await embedded();
    const files = Array.from({ length: 150 }, (_, n) =>
      file(`u${n}.service`, `[Service]\nExecStart=/bin/echo ${n}\n`),
    );
    const { status, json } = await it.running.operate({ kind: "submit", files, desired: "launched" });
    assert.equal(status, 201);
    assert.equal(json.state, "applied");
    assert.equal((await it.running.ask({ path: "/v1/units" })).json.units.length, 150);
  });

  test("events resume by the store’s revision over an outage", async () => {
    await using it = await embedded();
    const first = await it.running.open({ path: "/v1/events" });
    const events = eventsOf(first);
    const snapshot = (await events.next()).value;
    assert.equal(snapshot?.event, "snapshot");
    await it.stop();
    const refused = await it.running.operate({
      kind: "submit",
      files: [file("b.service")],
      desired: "inactive",
    });
    assert.equal(refused.status, 503, refused.bytes.toString());
    assert.equal(refused.json.error.code, "KEEL-401");
    await it.start();
    const made = await it.running.operate({
      kind: "submit",
      files: [file("a.service")],
      desired: "inactive",
    });
    assert.equal(made.status, 201);
    let seen = (await events.next()).value;
    while (seen?.event === "heartbeat") seen = (await events.next()).value;
    assert.equal(seen?.event, "change");
    assert.equal(seen?.data.units[0].name, "a.service");
    first.destroy();
  });
});
