// The examples of the README are these files, and they run.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { check } from "./examples/client.ts";
import { exampleServer } from "./examples/server.ts";

test("the examples are what the README shows", () => {
  const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
  for (const name of ["server", "client"]) {
    const example = readFileSync(join(import.meta.dirname, `examples/${name}.ts`), "utf8");
    assert.ok(readme.includes(`\`\`\`ts\n${example}\`\`\``), name);
  }
});

test("the example’s client is told of an update, and its server of what came of it", async () => {
  const lines: string[] = [];
  const server = exampleServer((line) => lines.push(line)).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/update/`;
    const offered = await check(url, "1.0.0");
    assert.equal(offered.outcome, "update");
    assert.deepEqual(offered.outcome === "update" && offered.payloadUrls, [
      "http://127.0.0.1:8080/payloads/update.gz",
    ]);
    const event = { type: 3, result: 2, previousVersion: "1.0.0" };
    assert.deepEqual(await check(url, "2.0.0", [event]), { outcome: "noupdate" });
    await check(url, "1.0.0", [{ type: 3, result: 0, errorCode: 44 }]);
    const unreadable = await fetch(url, { method: "POST", body: "<request" });
    assert.equal(unreadable.status, 400);
    assert.equal((await fetch(url, { method: "POST", body: "x".repeat(70_000) })).status, 413);
    assert.deepEqual(lines, [
      "4e502b3096414651b65fe3f377adc241 update complete: success, after a restart, from 1.0.0 (complete)",
      "4e502b3096414651b65fe3f377adc241 update complete: error (failed)",
      "The machine restarted after the update and still runs the old version.",
      "unreadable: NOT_XML line 1, column 9: the document ends inside <request>",
    ]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
