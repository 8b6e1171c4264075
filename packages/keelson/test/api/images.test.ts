import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { eventually } from "../eventually.ts";
import { file, runApi } from "./running-api.ts";
import type { Answer, RunningApi } from "./running-api.ts";
import { dockerArchive, sha256 } from "./tar-archive.ts";

const upload = (running: RunningApi, body: Uint8Array): Promise<Answer> =>
  running.ask({ method: "POST", path: "/v1/images", body, headers: { "content-type": "application/x-tar" } });
const kept = (running: RunningApi): Promise<string[]> => readdir(join(running.folder, "archives"));

describe("images", () => {
  test("an archive is kept, recorded and handed out", async () => {
    await using running = await runApi();
    const archive = dockerArchive(["localhost/hello:latest"]);
    const { status, json } = await upload(running, archive);
    assert.equal(status, 201);
    assert.equal(json.name, "localhost/hello:latest");
    assert.equal(json.archive, sha256(archive));
    assert.equal(json.bytes, archive.byteLength);
    assert.deepEqual(json.holders, ["http://10.0.0.1:2390"]);
    assert.equal((await running.ask({ path: "/v1/images" })).json.images.length, 1);

    const port = running.api.listening[0]?.port ?? 0;
    const path = `/v1/archives/${sha256(archive)}`;
    const whole = await running.ask({ path, port });
    assert.deepEqual(whole.bytes, archive);
    assert.equal(whole.headers.etag, `"${sha256(archive)}"`);
    const part = await running.ask({ path, port, headers: { range: "bytes=100-299" } });
    assert.equal(part.status, 206);
    assert.equal(part.headers["content-range"], `bytes 100-299/${archive.byteLength}`);
    assert.deepEqual(part.bytes, archive.subarray(100, 300));
    assert.deepEqual(
      (await running.ask({ path, port, headers: { range: "bytes=3000-" } })).bytes,
      archive.subarray(3000),
    );
    assert.deepEqual(
      (await running.ask({ path, port, headers: { range: "bytes=-10" } })).bytes,
      archive.subarray(-10),
    );
    assert.equal((await running.ask({ path, port, headers: { range: "bytes=999999-" } })).status, 416);
    assert.equal((await running.ask({ path, port, headers: { range: "bytes=0-1,5-6" } })).status, 200);
    assert.equal(
      (await running.ask({ path, port, headers: { "if-none-match": whole.headers.etag ?? "" } })).status,
      304,
    );
    const head = await running.ask({ method: "HEAD", path, port });
    assert.equal(head.headers["content-length"], String(archive.byteLength));
  });

  test("what is no archive leaves nothing behind", async () => {
    await using running = await runApi();
    const { status, json } = await upload(running, Buffer.from("x".repeat(5000)));
    assert.equal(status, 400);
    assert.equal(json.error.code, "KEEL-107");
    assert.deepEqual(await kept(running), []);
    assert.equal((await running.ask({ path: "/v1/images" })).json.images.length, 0);
  });

  test("an upload that breaks off leaves nothing behind", async () => {
    await using running = await runApi();
    const socket = connect(running.api.socket);
    socket.write("POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
    socket.write(dockerArchive(["a:1"]).subarray(0, 2000));
    await eventually("it has begun", async () => {
      // At first there is not even the folder.
      return (await kept(running).catch(() => [])).length === 1;
    });
    socket.destroy();
    await eventually("it is gone", async () => (await kept(running)).length === 0);
  });

  test("an archive larger than the limit is refused unread", async () => {
    await using running = await runApi();
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(running.api.socket);
      socket.once("data", (chunk) => {
        resolve(chunk.toString());
        socket.destroy();
      });
      socket.write(`POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${5 * 2 ** 30}\r\n\r\n`);
    });
    assert.match(answer, /^HTTP\/1.1 413 /);
  });

  test("a replaced or removed image takes its archive with it", async () => {
    await using running = await runApi();
    const [first, second] = [dockerArchive(["a:1"]), dockerArchive(["a:1", "b:1"], '{"v":2}')];
    await upload(running, first);
    await upload(running, second);
    assert.deepEqual(await kept(running), [sha256(second)]);
    assert.equal(
      (await running.ask({ method: "DELETE", path: "/v1/images/docker.io%2Flibrary%2Fa%3A1" })).status,
      204,
    );
    assert.deepEqual(await kept(running), [sha256(second)]);
    assert.equal(
      (await running.ask({ method: "DELETE", path: "/v1/images/docker.io/library/b:1" })).status,
      204,
    );
    assert.deepEqual(await kept(running), []);
  });

  test("an image that a unit needs is not removed by mistake", async () => {
    await using running = await runApi();
    await upload(running, dockerArchive(["localhost/hello:latest"]));
    await running.operate({
      kind: "submit",
      files: [file("hello.container", "[Container]\nImage=localhost/hello:latest\n")],
      desired: "inactive",
    });
    const path = "/v1/images/localhost%2Fhello%3Alatest";
    const refused = await running.ask({ method: "DELETE", path });
    assert.equal(refused.status, 409);
    assert.equal(refused.json.error.code, "KEEL-204");
    assert.deepEqual(refused.json.error.details.units, ["hello.container"]);
    assert.equal((await running.ask({ method: "DELETE", path: `${path}?confirm=test` })).status, 204);
  });

  test("what a dead daemon left half written goes at the next start", async () => {
    await using running = await runApi();
    await upload(running, dockerArchive(["a:1"]));
    await writeFile(join(running.folder, "archives", "abc.part"), "half");
    const { ArchiveStore } = await import("../../src/api/archive/archive-store.ts");
    const { systemRandom } = await import("../../src/base/random.ts");
    await new ArchiveStore(running.folder, systemRandom).clean();
    assert.equal((await kept(running)).length, 1);
  });
});
