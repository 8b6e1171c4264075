// docs/errors.md says what the error catalogue says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { errorCatalogue } from "../packages/keelson/src/base/error-catalogue.ts";
import { renderErrorsPage } from "./support/errors-page.ts";

test("docs/errors.md is the catalogue", () => {
  const page = join(resolve(import.meta.dirname, ".."), "docs/errors.md");
  assert.equal(
    readFileSync(page, "utf8"),
    renderErrorsPage(errorCatalogue),
    "run: node test/support/errors-page.ts",
  );
});
