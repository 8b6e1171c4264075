import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CommandError, runCommand, tryCommand } from "../../src/local/command.ts";

describe("a command", () => {
  test("gets its input and gives its outputs, its exit code and its lines", async () => {
    const lines: string[] = [];
    const argv = ["sh", "-c", "cat; echo two; printf three; exit 7"];
    const result = await tryCommand(argv, { input: "one\n", onLine: (line) => void lines.push(line) });
    assert.deepEqual(result, { code: 7, stdout: "one\ntwo\nthree", stderr: "" });
    assert.deepEqual(lines, ["one", "two"]);
  });

  test("that fails throws its last words", async () => {
    await assert.rejects(runCommand(["sh", "-c", "echo why >&2; exit 3"]), (error) => {
      assert.ok(error instanceof CommandError);
      assert.equal(error.result.code, 3);
      assert.equal(error.message, "sh: why");
      return true;
    });
    await assert.rejects(runCommand(["/no/such/tool"]), /ENOENT/);
  });

  test("ends when its time is over", async () => {
    assert.equal((await tryCommand(["sleep", "3600"], { timeoutMs: 30 })).code, 137);
  });

  test("ends although others hold its outputs", async () => {
    const stop = new AbortController();
    let holder = 0;
    // Were the command to wait for it, it would wait longer than any test runs.
    const argv = ["sh", "-c", "setsid sh -c 'echo $$; exec sleep 3600' & wait"];
    const onLine = (line: string) => {
      holder = Number(line);
      stop.abort(new Error("enough"));
    };
    await assert.rejects(tryCommand(argv, { signal: stop.signal, group: true, onLine }), /enough/);
    assert.ok(holder > 1);
    assert.ok(process.kill(holder, "SIGKILL"), "it outlived the command");
  });

  test("is aborted with the signal's reason", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    const running = tryCommand(["sleep", "10"], { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(running, reason);
    assert.throws(() => tryCommand(["true"], { signal: controller.signal }), reason);
  });
});
