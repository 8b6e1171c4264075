// Conversations with a server that answers as QEMU does, and with servers that answer otherwise.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KeelError } from "../../../src/base/errors.ts";
import { control, ControlSocket } from "../../../src/local/qemu/control-socket.ts";

const greeting = { QMP: { version: { qemu: { major: 10, minor: 0, micro: 13 } }, capabilities: [] } };

type Message = { readonly execute: string; readonly arguments: unknown; readonly id: number };
type Behaviour = (socket: Socket, say: (message: unknown) => void) => void;

/** Runs a task against a socket behind which somebody behaves so. */
async function against(behave: Behaviour, task: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-control-"));
  const path = join(folder, "control");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    behave(socket, (message) => void socket.write(`${JSON.stringify(message)}\r\n`));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await task(path);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true, force: true });
  }
}

/** QEMU: greets, and answers every command with what `answer` makes of it. */
function emulator(answer: (message: Message) => readonly unknown[]): Behaviour {
  return (socket, say) => {
    say(greeting);
    onMessages(socket, (message) => {
      const answers = message.execute === "qmp_capabilities" ? [{ return: {} }] : answer(message);
      for (const one of answers) say({ id: message.id, ...(one as object) });
    });
  };
}

function onMessages(socket: Socket, act: (message: Message) => void): void {
  socket.on("data", (chunk: Buffer) => {
    for (const line of chunk.toString().trim().split("\n")) act(JSON.parse(line) as Message);
  });
}

const fails = (words: RegExp) => (error: unknown) =>
  error instanceof KeelError && error.code === "KEEL-311" && words.test(error.message);

describe("QEMU's control socket", () => {
  test("answers commands by their ids, in whatever order, with events in between", () => {
    const held: Message[] = [];
    const behave: Behaviour = (socket, say) => {
      say(greeting);
      onMessages(socket, (message) => {
        if (message.execute === "qmp_capabilities") return say({ return: {}, id: message.id });
        held.push(message);
        if (held.length < 2) return;
        say({ event: "RESET", data: { guest: true } });
        for (const { id, execute } of held.toReversed()) say({ return: { execute }, id });
      });
    };
    return against(behave, async (path) => {
      const events: string[] = [];
      await using socket = await ControlSocket.open(path, {
        onEvent: ({ event }) => void events.push(event),
      });
      const both = [socket.run("one"), socket.run("two")];
      assert.deepEqual(await Promise.all(both), [{ execute: "one" }, { execute: "two" }]);
      assert.deepEqual(events, ["RESET"]);
    });
  });

  test("hands on what QEMU refuses, in its words", () =>
    against(
      emulator(() => [{ error: { class: "GenericError", desc: "Device 'cable9' not found" } }]),
      async (path) => {
        await assert.rejects(control(path, "set_link", { name: "cable9", up: true }), fails(/cable9/));
      },
    ));

  test("fails when nobody listens, when QEMU ends, and when it is silent", async () => {
    await assert.rejects(control(join(tmpdir(), "nobody-listens-here"), "stop"), fails(/ENOENT/));
    await against(
      (socket) => void socket.destroy(),
      async (path) => await assert.rejects(control(path, "stop"), fails(/hung up/)),
    );
    await against(
      () => {},
      (path) => assert.rejects(ControlSocket.open(path, { timeoutMs: 20 }), fails(/within 0.02 s/)),
    );
    await against(
      emulator(() => []),
      async (path) => {
        await using socket = await ControlSocket.open(path, { timeoutMs: 2000 });
        await assert.rejects(socket.run("stop"), fails(/asked for stop/));
      },
    );
  });

  test("ends the conversation with whoever talks garbage", async () => {
    const garbage = fc.oneof(
      fc.string({ minLength: 1 }).filter((text) => text.trim() !== ""),
      fc.json().filter((text) => !text.includes("QMP")),
    );
    await fc.assert(
      fc.asyncProperty(garbage, (text) =>
        against(
          (socket) => void socket.end(`${text}\n`),
          async (path) => await assert.rejects(ControlSocket.open(path, { timeoutMs: 30_000 }), KeelError),
        ),
      ),
      { numRuns: 30 },
    );
  });

  test("does not take a line without an end", () =>
    against(
      (socket) => void socket.write("x".repeat(3 << 20)),
      async (path) => await assert.rejects(ControlSocket.open(path), fails(/without an end|hung up/)),
    ));
});
