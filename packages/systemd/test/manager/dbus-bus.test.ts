import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import dbus from "dbus-native";
import { type Bus, dialBus, MAX_CALLS_IN_FLIGHT, SystemdError } from "../../src/index.ts";

const NAME = "org.keelson.Test";
const hasCode = (code: string) => (error: unknown) => error instanceof SystemdError && error.code === code;

/** A real bus in this process, with a service on it that counts its calls and answers when it is told to. */
async function withBus(
  run: (bus: Bus, service: TestService, close: () => void) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "bus-"));
  const socketPath = join(folder, "socket");
  const broker = dbus.createBroker();
  await new Promise<void>((resolve, reject) => {
    broker.listen({ socket: socketPath }, (error) => (error ? reject(error) : resolve()));
  });
  const provider = dbus.createClient({ socket: socketPath });
  try {
    const service = new TestService();
    provider.exportInterface(service, "/test", {
      name: NAME,
      methods: { Echo: ["s", "s", [], []], Wait: ["", "", [], []], Fail: ["", "", [], []] },
      signals: { Happened: ["s"] },
    });
    await provider.requestName(NAME, 0);
    service.emit = (text) => provider.sendSignal("/test", NAME, "Happened", "s", [text]);
    await using bus = await dialBus({ socketPath });
    await run(bus, service, () => broker.close());
  } finally {
    await provider.close();
    await new Promise<void>((resolve) => void broker.close(() => resolve()));
    await rm(folder, { recursive: true });
  }
}

class TestService {
  waiting: (() => void)[] = [];
  mostAtOnce = 0;
  emit: (text: string) => void = () => undefined;

  Echo(text: string): string {
    return text;
  }

  async Wait(): Promise<null> {
    await new Promise<void>((resolve) => {
      this.waiting.push(resolve);
      this.mostAtOnce = Math.max(this.mostAtOnce, this.waiting.length);
    });
    return null;
  }

  Fail(): never {
    throw Object.assign(new Error("not today"), { dbusName: "org.keelson.NotToday" });
  }
}

const call = (member: string) => ({ destination: NAME, path: "/test", interface: NAME, member });

test("calls are answered, refused with the service's error, given up and timed out", async () => {
  await withBus(async (bus, service) => {
    assert.deepEqual(await bus.call({ ...call("Echo"), signature: "s", body: ["hi"] }), ["hi"]);
    await assert.rejects(
      bus.call(call("Fail")),
      (error) =>
        hasCode("bus-call")(error) &&
        error instanceof SystemdError &&
        error.dbusName === "org.keelson.NotToday",
    );
    await assert.rejects(bus.call({ ...call("Wait"), timeoutMs: 20 }), hasCode("timeout"));
    const signal = AbortSignal.timeout(20);
    await assert.rejects(bus.call({ ...call("Wait"), signal }), hasCode("aborted"));
    for (const answer of service.waiting) answer();
  });
});

test("no more than 64 calls are under way at once, and those that wait can be given up", async () => {
  await withBus(async (bus, service) => {
    const calls = Array.from({ length: 200 }, () => bus.call(call("Wait")));
    const stop = new AbortController();
    const givenUp = assert.rejects(bus.call({ ...call("Wait"), signal: stop.signal }), hasCode("aborted"));
    stop.abort();
    await givenUp;
    let answered = 0;
    const all = Promise.all(calls.map((each) => each.then(() => (answered += 1))));
    while (answered < calls.length) {
      for (const answer of service.waiting.splice(0)) answer();
      await new Promise((resolve) => void setImmediate(resolve));
    }
    await all;
    assert.equal(service.mostAtOnce, MAX_CALLS_IN_FLIGHT);
  });
});

test("signals go to those who asked for them", async () => {
  await withBus(async (bus, service) => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    await bus.subscribe(
      { interface: NAME, member: "Happened", arg0: "b", pathNamespace: "/test" },
      ({ body }) => resolve(body[0]),
    );
    await bus.subscribe({ interface: NAME, member: "Other" }, () => resolve("wrong"));
    service.emit("a");
    service.emit("b");
    assert.equal(await promise, "b");
  });
});

test("a bus that goes away says so once, and refuses what is under way and what comes later", async () => {
  await withBus(async (bus, service, close) => {
    let closed = 0;
    bus.onClose(() => (closed += 1));
    const waiting = assert.rejects(bus.call(call("Wait")), hasCode("bus-closed"));
    while (service.waiting.length === 0) await new Promise((resolve) => void setTimeout(resolve, 5));
    close();
    await waiting;
    await assert.rejects(bus.call(call("Echo")), hasCode("bus-closed"));
    assert.equal(closed, 1);
  });
});

test("where there is no bus, connecting fails and says where", async () => {
  await assert.rejects(
    dialBus({ socketPath: "/nowhere/socket" }),
    (error) => hasCode("bus-unavailable")(error) && String(error).includes("/nowhere/socket"),
  );
  await assert.rejects(
    dialBus({ socketPath: "/nowhere/socket", signal: AbortSignal.abort() }),
    hasCode("aborted"),
  );
});

test("a bus that takes the connection and never greets is given up, and nothing is thrown past the caller", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "bus-"));
  const socketPath = join(folder, "socket");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  try {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const dialled = assert.rejects(dialBus({ socketPath }), hasCode("timeout"));
    t.mock.timers.tick(24_000);
    t.mock.timers.tick(2000);
    await dialled;
  } finally {
    t.mock.timers.reset();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  }
});
