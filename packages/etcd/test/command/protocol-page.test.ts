import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { pagePath, renderPage } from "./protocol-page.ts";

test("docs/protocols/etcd.md has the flags and paths as they are (packages/etcd/test/command/protocol-page.ts)", () => {
  const page = readFileSync(pagePath, "utf8");
  assert.equal(page, renderPage(page));
});
