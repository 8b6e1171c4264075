import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  launchScript,
  machineFolders,
  machinePaths,
  networkFile,
  nspawnCommand,
  quote,
} from "../../src/local/launch.ts";
import type { Launch } from "../../src/local/launch.ts";
import { systemdRunCommand } from "../../src/local/systemd-scopes.ts";

const launch: Launch = {
  paths: machinePaths("/state/demo/machines/m1"),
  container: "kabcde-m1",
  hostname: "m1",
  uuid: "0123456789abcdef0123456789abcdef",
  bridge: "kn-abcde",
  layers: ["/cache/layer", "/cache/tree"],
  layersOf: (name) => [`/cache/tree/${name}`],
  credentials: ["keelson.config"],
  files: [["/state/demo/hosts", "/etc/hosts"]],
};

describe("starting a machine", () => {
  test("mounts its read-only root and its own /etc and /var, then becomes nspawn", () => {
    const script = launchScript(launch);
    assert.match(script, /^#!\/bin\/sh\nset -e\n/);
    assert.ok(
      script.includes(
        "keelson-root -o ro,lowerdir=/cache/layer:/cache/tree /state/demo/machines/m1/mounts/root\n",
      ),
    );
    assert.ok(
      script.includes(
        "lowerdir=/cache/tree/var,upperdir=/state/demo/machines/m1/var,workdir=/state/demo/machines/m1/var.work",
      ),
    );
    assert.match(script, /\nexec systemd-nspawn --boot /);
    execFileSync("sh", ["-n"], { input: script });
  });

  test("from a slot asks what plays the firmware for its layers, at each start", () => {
    const slotted: Launch = { ...launch, firmware: ["/usr/bin/node", "/a path/start-tree.ts"] };
    const script = launchScript(slotted);
    const [, , first, second] = script.split("\n");
    assert.equal(first, "/usr/bin/node '/a path/start-tree.ts' /state/demo/machines/m1");
    assert.equal(second, ". /state/demo/machines/m1/layers");
    assert.ok(
      script.includes('keelson-root -o ro,lowerdir="$lower_root" /state/demo/machines/m1/mounts/root\n'),
    );
    assert.ok(
      script.includes('-o index=off,metacopy=off,redirect_dir=off,xino=off,lowerdir="$lower_etc",upperdir='),
    );
    assert.ok(!script.includes("/cache/"));
    execFileSync("sh", ["-n"], { input: script });
    const argv = nspawnCommand(slotted);
    assert.ok(argv.includes("--bind-ro=/state/demo/machines/m1/os:/run/keelson/os"));
    assert.ok(argv.includes("--bind=/state/demo/machines/m1/tree:/run/keelson/tree"));
    assert.ok(!nspawnCommand(launch).some((word) => word.includes("/run/keelson")));
  });

  test("names credentials by file and never by value", () => {
    const argv = nspawnCommand(launch);
    assert.ok(
      argv.includes("--load-credential=keelson.config:/state/demo/machines/m1/credentials/keelson.config"),
    );
    assert.ok(!argv.some((word) => word.startsWith("--set-credential")));
    assert.ok(argv.includes("--bind-ro=/state/demo/hosts:/etc/hosts"));
    assert.ok(argv.includes("--read-only"));
  });

  test("uses only folders that were made before", () => {
    const made = machineFolders(launch.paths);
    for (const name of [
      "etc",
      "etc.work",
      "var",
      "var.work",
      "containers",
      "mounts/root",
      "mounts/etc",
      "mounts/var",
    ]) {
      assert.ok(made.includes(`/state/demo/machines/m1/${name}`), name);
    }
  });

  test("quotes any word so that a shell gives it back", () => {
    const word = fc.string().filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 20 }), (words) => {
        const line = `printf '%s\\0' ${words.map(quote).join(" ")}`;
        assert.equal(
          execFileSync("sh", ["-c", line], { encoding: "utf8" }),
          words.map((text) => `${text}\0`).join(""),
        );
      }),
      { numRuns: 15 },
    );
  });

  test("under systemd is one transient unit with its control group delegated", () => {
    const scope = { cluster: "demo", kind: "machine", name: "m1" } as const;
    const argv = systemdRunCommand(scope, {
      argv: ["sh", "start"],
      env: { PATH: "/bin" },
      logFile: "/log",
      memoryBytes: 1024,
      againOn: 133,
    });
    assert.deepEqual(argv.slice(argv.indexOf("--")), ["--", "sh", "start"]);
    for (const word of [
      "--unit=keelson.demo.machine.m1.service",
      "--property=Delegate=yes",
      "--property=MemoryMax=1024",
      "--property=RestartForceExitStatus=133",
      "--property=StandardOutput=truncate:/log",
      "--setenv=PATH=/bin",
    ]) {
      assert.ok(argv.includes(word), word);
    }
  });

  test("gives it its address by a network file", () => {
    assert.match(
      networkFile("10.205.7.11", "10.205.7.1"),
      /^Address=10\.205\.7\.11\/24\nGateway=10\.205\.7\.1$/m,
    );
  });
});
