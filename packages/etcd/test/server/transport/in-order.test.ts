// Requests that come one behind the other on a connection of HTTP/1.1.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { describe, test } from "node:test";
import { inOrder } from "../../../src/server/transport/in-order.ts";

describe("requests of a connection", () => {
  test("begin when those before them have their answer", async () => {
    const begun: [path: string, response: ServerResponse][] = [];
    await using at = await served((request, response) => void begun.push([request.url ?? "", response]));
    const text = collected(at.client);
    for (const path of ["/a", "/b", "/c"]) at.client.write(asking(path));
    await until(() => begun.length > 0);
    for (const end of ["/a", "/b", "/c"]) {
      await until(() => begun.at(-1)?.[0] === end);
      begun.at(-1)?.[1].end(`answer to ${end} `);
    }
    await until(() => text().includes("answer to /c"));
    assert.deepEqual(text().match(/answer to \/./g), ["answer to /a", "answer to /b", "answer to /c"]);
  });

  test("are not begun when the client is gone, and others are", async () => {
    const begun: string[] = [];
    await using at = await served((request, response) => {
      begun.push(request.url ?? "");
      if (request.url === "/other") response.end();
    });
    at.client.write(asking("/a") + asking("/b"));
    await until(() => begun.length > 0);
    at.client.destroy();
    const other = connect(at.port, "127.0.0.1");
    const text = collected(other);
    other.write(asking("/other"));
    await until(() => text().includes("200 OK"));
    other.destroy();
    await at.ended();
    assert.deepEqual(begun, ["/a", "/other"]);
  });

  test("are bounded", async () => {
    await using at = await served(() => undefined);
    at.client.on("error", () => undefined);
    const closed = once(at.client, "close");
    at.client.write(asking("/a").repeat(1200));
    await closed;
  });
});

const asking = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

async function served(
  listener: RequestListener,
): Promise<AsyncDisposable & { readonly client: Socket; readonly port: number; ended(): Promise<void> }> {
  const server = createServer(inOrder(listener)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect(port, "127.0.0.1");
  await once(client, "connect");
  const ended = async (): Promise<void> => {
    client.destroy();
    server.closeAllConnections();
    if (!server.listening) return;
    server.close();
    await once(server, "close");
  };
  return { client, port, ended, [Symbol.asyncDispose]: ended };
}

function collected(socket: Socket): () => string {
  let text = "";
  socket.setEncoding("latin1").on("data", (piece: string) => (text += piece));
  return () => text;
}

async function until(holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 30_000; !holds();) {
    assert.ok(performance.now() < end, "it did not come to that");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
