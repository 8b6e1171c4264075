import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { byteRangeOf } from "../../src/update-server/byte-range.ts";
import { Payloads } from "../../src/update-server/payloads.ts";
import { eventually } from "../eventually.ts";
import { raw, running } from "./endpoint-support.ts";
import type { Running } from "./endpoint-support.ts";

const content = Buffer.alloc(20 << 20);
for (let at = 0; at < content.length; at += 4) content.writeUInt32LE(at, at);
const hash = createHash("sha256").update(content).digest("hex");
const [empty, link, folderName] = ["0", "1", "2"].map((digit) => digit.repeat(64)) as [
  string,
  string,
  string,
];

describe("payloads", () => {
  let folder = "";
  let it: Running;
  const get = (path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Response> =>
    fetch(`${it.url}/v1/payloads/${path}`, { method, headers });
  const bytes = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-payloads-"));
    await writeFile(join(folder, hash), content);
    await writeFile(join(folder, empty), "");
    await writeFile(join(folder, "secret"), "secret");
    await symlink("/etc/passwd", join(folder, link));
    await mkdir(join(folder, folderName));
    it = await running({ routes: [new Payloads({ folder, log: silentLog })] });
  });
  after(async () => {
    await it[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  test("come whole, with what a client needs to go on later", async () => {
    const response = await get(`${hash}/update.gz`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("etag"), `"${hash}"`);
    assert.equal(response.headers.get("accept-ranges"), "bytes");
    assert.ok(content.equals(await bytes(response)));
    const head = await get(hash, {}, "HEAD");
    assert.equal(head.headers.get("content-length"), String(content.length));
    assert.equal((await bytes(await get(empty))).length, 0);
  });

  test("go on from any byte", async () => {
    const response = await get(hash, { range: "bytes=1000000-1000999" });
    assert.equal(response.status, 206);
    assert.equal(response.headers.get("content-range"), `bytes 1000000-1000999/${content.length}`);
    assert.ok(content.subarray(1_000_000, 1_001_000).equals(await bytes(response)));
    const tail = await get(hash, { range: "bytes=-5", "if-range": `"${hash}"` });
    assert.ok(content.subarray(-5).equals(await bytes(tail)));
    const behind = await get(hash, { range: `bytes=${content.length}-` });
    assert.equal(behind.status, 416);
    assert.equal(behind.headers.get("content-range"), `bytes */${content.length}`);
    const other = await get(hash, { range: "bytes=0-4", "if-range": '"another"' }, "GET");
    assert.equal(other.status, 200);
    await other.body?.cancel();
    const known = await get(hash, { "if-none-match": `W/"x", "${hash}"` });
    assert.equal(known.status, 304);
  });

  test("nothing else can be reached", async () => {
    for (const path of [
      "secret",
      "",
      "..",
      `${hash}/../secret`,
      `${hash}/`,
      hash.slice(1),
      link,
      folderName,
      "f".repeat(64),
    ]) {
      const line = `GET /v1/payloads/${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
      assert.match(await raw(it.port, line), /^HTTP\/1\.1 404 /, path);
    }
    for (const path of ["%2e%2e/secret", "..%2fsecret", "//etc/passwd"])
      assert.match(
        await raw(it.port, `GET /v1/payloads/${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
        /^HTTP\/1\.1 404 /,
        path,
      );
    assert.equal((await get(hash, {}, "DELETE")).status, 405);
  });

  test("who does not take what it asked for is waited for, but not for ever", async () => {
    const payloads = new Payloads({ folder, log: silentLog, downloads: 2, idleMs: 2000 });
    await using own = await running({ routes: [payloads] });
    const idle = [1, 2].map(() => {
      const socket = connect(own.port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.pause();
      socket.write(`GET /v1/payloads/${hash} HTTP/1.1\r\nHost: x\r\n\r\n`);
      return socket;
    });
    const ask = (): Promise<Response> => fetch(`${own.url}/v1/payloads/${hash}`, { method: "HEAD" });
    let refused: Response | undefined;
    await eventually("one more is refused", async () => {
      const response = await ask();
      if (response.status === 503) refused = response;
      return refused !== undefined;
    });
    assert.match(refused?.headers.get("retry-after") ?? "", /^\d+$/);
    await eventually("both have lost their place", () => payloads.downloads === 0);
    for (const socket of idle) socket.destroy();
    assert.equal((await ask()).status, 200);
  });
});

describe("a range", () => {
  for (const [header, expected] of [
    [undefined, "whole"],
    ["bytes=0-", { first: 0, last: 99 }],
    ["bytes=10-19", { first: 10, last: 19 }],
    ["bytes=10-1000", { first: 10, last: 99 }],
    ["bytes=99-99", { first: 99, last: 99 }],
    ["bytes=-1", { first: 99, last: 99 }],
    ["bytes=-1000", { first: 0, last: 99 }],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=100-", "unsatisfiable"],
    ["bytes=20-10", "whole"],
    ["bytes=0-1,5-6", "whole"],
    ["bytes=-", "whole"],
    ["lines=1-2", "whole"],
    ["bytes=99999999999999999999-", "whole"],
  ] as const)
    test(String(header), () => assert.deepEqual(byteRangeOf(header, 100), expected));
  test("of an empty file", () => assert.equal(byteRangeOf("bytes=0-", 0), "unsatisfiable"));
});
