import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { runApi } from "./running-api.ts";

let folder: string;
const script = `export const x = ${JSON.stringify("y".repeat(3000))}`;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "keelson-dashboard-"));
  await mkdir(join(folder, "assets"));
  await writeFile(join(folder, "index.html"), "<!doctype html><title>Keelson</title>");
  await writeFile(join(folder, "assets", "index-Bq3x_9-Z.js"), script);
  await symlink("/etc/passwd", join(folder, "passwd"));
});
after(() => rm(folder, { recursive: true }));

describe("dashboard files", () => {
  test("the page and its assets, with strict headers", async () => {
    await using running = await runApi({ dashboard: folder });
    const port = running.api.listening[0]?.port ?? 0;
    const page = await running.ask({ path: "/", port });
    assert.equal(page.status, 200);
    assert.match(page.headers["content-type"] ?? "", /^text\/html/);
    assert.equal(page.headers["cache-control"], "no-cache");
    const policy = String(page.headers["content-security-policy"]);
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    const asset = await running.ask({
      path: "/assets/index-Bq3x_9-Z.js",
      port,
      headers: { "accept-encoding": "gzip, br" },
    });
    assert.equal(asset.headers["cache-control"], "public, max-age=31536000, immutable");
    assert.equal(asset.headers["content-encoding"], "gzip");
    assert.equal(gunzipSync(asset.bytes).toString(), script);
    const again = await running.ask({
      path: "/",
      port,
      headers: { "if-none-match": String(page.headers.etag) },
    });
    assert.equal(again.status, 304);
    assert.equal(again.bytes.byteLength, 0);
  });

  test("no path leads out of the folder", async () => {
    await using running = await runApi({ dashboard: folder });
    const paths = [
      "/../../etc/passwd",
      "/..%2f..%2fetc/passwd",
      "/%2e%2e/%2e%2e/etc/passwd",
      "/assets/..%5c..%5cetc",
      "//etc/passwd",
      "/passwd",
      "/assets",
      "/assets/",
      "/index.html%00.js",
    ];
    for (const path of paths) assert.equal((await running.ask({ path })).status, 404, path);
  });

  test("a new build is served without a restart", async () => {
    await using running = await runApi({ dashboard: folder });
    await running.ask({ path: "/" });
    await writeFile(join(folder, "index.html"), "<!doctype html><title>New</title>");
    await utimes(join(folder, "index.html"), new Date(), new Date(Date.now() + 5000));
    assert.match((await running.ask({ path: "/" })).bytes.toString(), /New/);
  });

  test("without a dashboard the root says so", async () => {
    await using running = await runApi();
    assert.equal((await running.ask({ path: "/" })).status, 404);
  });
});
