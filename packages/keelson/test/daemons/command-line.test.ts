import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { KeelError } from "../../src/base/errors.ts";
import { loadConfiguration, parseCommandLine } from "../../src/daemons/command-line.ts";

const isCode = (code: string) => (error: unknown) => error instanceof KeelError && error.code === code;

describe("keeld's command line", () => {
  test("names a configuration, or asks for help or the version", () => {
    assert.deepEqual(parseCommandLine([]), { kind: "run", config: undefined });
    assert.deepEqual(parseCommandLine(["--config", "/x"]), { kind: "run", config: "/x" });
    assert.deepEqual(parseCommandLine(["--version"]), { kind: "version" });
    assert.deepEqual(parseCommandLine(["-h"]), { kind: "help" });
    for (const wrong of [["--nonsense"], ["word"], ["--config"]]) {
      assert.throws(() => parseCommandLine(wrong), isCode("KEEL-104"));
    }
  });

  test("takes the configuration from the file, or from the credential", async () => {
    const folder = await mkdtemp(join(tmpdir(), "keelson-configuration-"));
    try {
      const path = join(folder, "keelson.config");
      const configuration = {
        cluster: "local",
        roles: ["agent"],
        address: "10.0.0.1",
        store: { endpoints: ["http://10.0.0.2:2379"] },
      };
      await writeFile(path, JSON.stringify(configuration));
      assert.equal((await loadConfiguration(path, undefined)).address, "10.0.0.1");
      assert.equal((await loadConfiguration(undefined, folder)).leaseSeconds, 6);
      await assert.rejects(loadConfiguration(undefined, undefined), isCode("KEEL-106"));
      await assert.rejects(loadConfiguration(join(folder, "absent"), undefined), isCode("KEEL-106"));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
