import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, renameSync } from "node:fs";
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { call, running, scratch } from "./support/running.ts";

describe("listening", () => {
  test("on a Unix socket, which is taken over when nobody answers it, and gone afterwards", async () => {
    await using place = await scratch();
    const path = join(place.folder, "etcd.sock");
    const abandoned = createServer().listen(path);
    await once(abandoned, "listening");
    await assert.rejects(running({ listen: [{ path }] }), { code: "UNAVAILABLE", message: /EADDRINUSE/ });
    // Under another name it survives its server, as it would a crash.
    renameSync(path, `${path}.left`);
    abandoned.close();
    await once(abandoned, "close");
    renameSync(`${path}.left`, path);
    {
      await using server = await running({ listen: [{ path }] });
      assert.equal(server.url, `unix://${path}`);
      const client = connectHttp2("http://localhost", { createConnection: () => connect(path) });
      assert.equal((await call(client, "/etcdserverpb.Cluster/MemberList")).status, "0");
      client.destroy();
      const page = request({ socketPath: path, path: "/version" }).end();
      const [response] = (await once(page, "response")) as [import("node:http").IncomingMessage];
      assert.equal(response.statusCode, 200);
      response.destroy();
    }
    assert.ok(!existsSync(path));
  });

  test("an address in use is an error, and leaves nothing open", async () => {
    await using server = await running();
    const { port } = server;
    const listen = [
      { host: "127.0.0.1", port: 0 },
      { host: "127.0.0.1", port },
    ];
    await assert.rejects(running({ listen }), { code: "UNAVAILABLE", message: /EADDRINUSE/ });
  });
});
