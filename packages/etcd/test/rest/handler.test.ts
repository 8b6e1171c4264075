// The keys API over HTTP, on both of its stores: limits, lost history, and clients that go away.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { EtcdClient } from "../../src/client/index.ts";
import { ClientKeysStore, KeysHandler, KeysRefusal } from "../../src/rest/index.ts";
import type { KeysHandlerOptions, KeysStore } from "../../src/rest/index.ts";
import { EtcdServer } from "../../src/server/index.ts";

interface Api extends AsyncDisposable {
  readonly url: string;
  readonly handler: KeysHandler;
  readonly client: EtcdClient;
}

async function serve(
  storeOf: (server: EtcdServer, client: EtcdClient) => KeysStore,
  options: Partial<KeysHandlerOptions> = {},
): Promise<Api> {
  const dataDir = await mkdtemp(join(tmpdir(), "keelson-rest-"));
  const server = await EtcdServer.start({ dataDir, listen: [{ host: "127.0.0.1", port: 0 }] });
  const client = new EtcdClient({
    endpoints: [`127.0.0.1:${server.addresses[0]?.port}`],
    deadlineMs: 30_000,
  });
  let ids = 0n;
  const handler = new KeysHandler(storeOf(server, client), {
    wall: () => Date.now(),
    randomId: () => ids++,
    ...options,
  });
  const http = createServer((request, response) => {
    void handler.serve(request, response, (request.url ?? "").split("?")[0] ?? "");
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    handler,
    client,
    async [Symbol.asyncDispose]() {
      handler[Symbol.dispose]();
      http.closeAllConnections();
      http.close();
      await client[Symbol.asyncDispose]();
      await server.close();
      await rm(dataDir, { recursive: true });
    },
  };
}

const put = (url: string, value: string): Promise<Response> =>
  fetch(url, { method: "PUT", body: new URLSearchParams({ value }) });

async function errorOf(response: Response): Promise<readonly [status: number, code: number, cause: string]> {
  const { errorCode, cause } = (await response.json()) as {
    readonly errorCode: number;
    readonly cause: string;
  };
  return [response.status, errorCode, cause];
}

const stores = {
  "in this process": (server: EtcdServer) => server.keys,
  "behind a client": (_server: EtcdServer, client: EtcdClient) => new ClientKeysStore(client),
} as const;

for (const [name, storeOf] of Object.entries(stores)) {
  describe(`the keys API over a store ${name}`, () => {
    test("bounds how many wait", async () => {
      await using api = await serve(storeOf, { limits: { maxWatchers: 1 } });
      const stop = new AbortController();
      const waiting = await fetch(`${api.url}/k?wait=true`, { signal: stop.signal });
      assert.equal(waiting.status, 200);
      const second = await fetch(`${api.url}/k?wait=true`);
      assert.deepEqual(await errorOf(second), [500, 300, "too many requests wait already"]);
      stop.abort();
    });

    test("bounds how long they wait", async () => {
      await using api = await serve(storeOf, { limits: { maxWaitMs: 50 } });
      assert.equal(await (await fetch(`${api.url}/k?wait=true`)).text(), "");
      await put(`${api.url}/k`, "x");
      assert.equal((await fetch(`${api.url}/k?wait=true&waitIndex=2`)).status, 200);
    });

    test("forgets who goes away", async () => {
      await using api = await serve(storeOf);
      const stop = new AbortController();
      await Promise.all(
        Array.from({ length: 5 }, () => fetch(`${api.url}/k?wait=true`, { signal: stop.signal })),
      );
      assert.equal(api.handler.watchers, 5);
      stop.abort();
      while (api.handler.watchers > 0) await new Promise((resolve) => setImmediate(resolve));
      assert.equal((await put(`${api.url}/k`, "x")).status, 201);
    });

    test("says which history is lost", async () => {
      await using api = await serve(storeOf);
      for (const value of ["1", "2", "3"]) await put(`${api.url}/k`, value);
      await api.client.compact(4);
      const lost = await fetch(`${api.url}/k?wait=true&waitIndex=2`);
      assert.deepEqual(await errorOf(lost), [400, 401, "the requested history has been cleared [4/2]"]);
      const kept = await fetch(`${api.url}/k?wait=true&waitIndex=4`);
      assert.match(await kept.text(), /"value":"3"/);
    });

    test("pages through directories without end", async () => {
      await using api = await serve(storeOf);
      const writes = [];
      for (let place = 0; place < 700; place++)
        writes.push(api.client.put(`/many/${place % 3}/${place}`, "x"));
      for (let place = 0; place < 600; place++) writes.push(api.client.put(`/many/file${place}`, "x"));
      await Promise.all(writes);
      const count = async (query: string): Promise<number> => {
        const { node } = (await (await fetch(`${api.url}/many${query}`)).json()) as {
          readonly node: { readonly nodes: readonly { readonly nodes?: readonly unknown[] }[] };
        };
        return node.nodes.length + node.nodes.reduce((sum, { nodes = [] }) => sum + nodes.length, 0);
      };
      assert.equal(await count(""), 603);
      assert.equal(await count("?recursive=true"), 1303);
    });

    test("refuses whom it is told to", async () => {
      const admit: KeysHandlerOptions["admit"] = ({ path }) => {
        if (path === "/closed") throw new KeysRefusal("unauthorized", "not you");
        return path === "/hidden" ? { mayShow: () => false } : {};
      };
      await using api = await serve(storeOf, { admit, limits: { maxBodyBytes: 10 } });
      assert.deepEqual(await errorOf(await put(`${api.url}/closed`, "")), [401, 110, "not you"]);
      assert.equal((await put(`${api.url}/hidden`, "")).status, 201);
      assert.equal((await fetch(`${api.url}/hidden`)).status, 401);
      assert.deepEqual(await errorOf(await put(`${api.url}/k`, "too long")), [
        400,
        210,
        "http: POST too large",
      ]);
    });
  });
}
