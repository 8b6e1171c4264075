import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { withoutBuiltinImports } from "../../../src/local/tree/node-builtins.ts";

void suite("Node’s modules in a bundle", () => {
  void test("are asked for, and only what is wanted is read", () => {
    const asked = (module: string): string => `globalThis.process.getBuiltinModule("node:${module}")`;
    for (const [from, to] of [
      ['import { readFile } from "node:fs/promises";', `const { readFile } = ${asked("fs/promises")};`],
      [
        'import { isIP, connect as dial } from "node:net";',
        `const { isIP, connect: dial } = ${asked("net")};`,
      ],
      ['import process$1 from "node:process";', `const process$1 = ${asked("process")};`],
      ['import fs, { rm } from "node:fs";', `const fs = ${asked("fs")}, { rm } = ${asked("fs")};`],
      ['import * as http from "node:http";', `const http = ${asked("http")};`],
      ['const util = __require("node:util");', `const util = ${asked("util")};`],
    ] as const)
      assert.equal(withoutBuiltinImports(`${from}\nuse();`), `${to}\nuse();`);
  });

  void test("nothing else changes", () => {
    for (const line of [
      'import { a } from "./part-x.js";',
      'import "node:http";',
      'const text = `import { a } from "node:fs";`;',
      'export { a } from "node:fs";',
      'const later = await import("node:http");',
      'const other = __require("@grpc/grpc-js");',
    ])
      assert.equal(withoutBuiltinImports(line), line);
  });

  void test("the result does what the original does", async () => {
    const code = withoutBuiltinImports(
      'import { basename as name, sep } from "node:path";\nimport os from "node:os";\nexport default [name("/a/b"), sep, typeof os.tmpdir];',
    );
    const { default: result } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as {
      default: unknown;
    };
    assert.deepEqual(result, ["b", "/", "function"]);
  });
});
