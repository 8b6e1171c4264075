// The fence's script on this host, with a clock and a systemctl of the test's own.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const script = resolve(import.meta.dirname, "../../../../os/root/usr/lib/keelson/fence");

/** How long a test waits for what has to come; no test depends on it. */
const PATIENCE_MS = 30_000;

/**
 * A fence with its files; `states` is what systemctl is-active prints for every unit, `renewed` the deadline that
 * is there once units were told to stop.
 */
class Fence implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "fence-"));
  readonly #child: ChildProcess;

  constructor(prepare: (fence: Fence) => void) {
    mkdirSync(join(this.folder, "bin"));
    const systemctl = `#!/bin/sh
echo "$@" >>'${this.folder}/calls'
case $1 in
is-active) cat '${this.folder}/states'; exit 3 ;;
--no-block) [ ! -f '${this.folder}/renewed' ] || mv '${this.folder}/renewed' '${this.folder}/deadline' ;;
esac
`;
    const sleep = `#!/bin/sh
echo "$1" >>'${this.folder}/pauses'
exec /bin/sleep "$1"
`;
    for (const [name, program] of Object.entries({ systemctl, sleep })) {
      writeFileSync(join(this.folder, "bin", name), program);
      chmodSync(join(this.folder, "bin", name), 0o755);
    }
    this.write("uptime", "100.00 50.00\n");
    this.write("states", "inactive\n");
    prepare(this);
    this.#child = spawn("sh", [script], {
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        PATH: `${this.folder}/bin:${process.env["PATH"]}`,
        KEELSON_FENCE_DIR: this.folder,
        KEELSON_FENCE_SECOND: "10",
        KEELSON_UPTIME_FILE: join(this.folder, "uptime"),
      },
    });
  }

  write(name: string, content: string): void {
    writeFileSync(join(this.folder, `${name}.new`), content);
    renameSync(join(this.folder, `${name}.new`), join(this.folder, name));
  }

  /** The systemctl calls so far. */
  get calls(): string[] {
    return this.#lines("calls");
  }

  /** Seconds of the pauses so far, the one that is under way included. */
  get pauses(): string[] {
    return this.#lines("pauses");
  }

  /** Waits until it has looked at everything again, `times` times. */
  async rounds(times: number): Promise<void> {
    const before = this.pauses.length;
    await this.until(() => this.pauses.length > before + times);
  }

  async until(condition: () => boolean): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    while (!condition()) {
      assert.ok(performance.now() < end, `not in time; calls: ${this.calls.join(" | ")}`);
      await sleep(10);
    }
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.#child, "exit");
    if (this.alive) {
      this.#child.kill("SIGKILL");
      await gone;
    }
    // What it had started may still write a line.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20 });
  }

  #lines(name: string): string[] {
    const path = join(this.folder, name);
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
  }
}

const units = "web@1.service\nodd\\x2dname.container\n";

describe("the fence", { concurrency: true }, () => {
  test("stops the units when the deadline has passed, and says when", async () => {
    await using fence = new Fence((f) => {
      f.write("units", units);
      f.write("deadline", "99.5\n");
    });
    await fence.until(() => existsSync(join(fence.folder, "fenced")));
    assert.equal(fence.calls[0], "--no-block stop -- web@1.service odd\\x2dname.container");
    assert.equal(readFileSync(join(fence.folder, "fenced"), "utf8"), "100.00\n");
    await fence.rounds(3);
    assert.deepEqual(
      fence.calls.slice(1),
      ["is-active -- web@1.service odd\\x2dname.container"],
      "once is enough",
    );
  });

  test("kills what still runs a second later", async () => {
    await using fence = new Fence((f) => {
      f.write("units", units);
      f.write("states", "inactive\ndeactivating\n");
      f.write("deadline", "99\n");
    });
    await fence.until(() => fence.calls.some((call) => call.startsWith("kill")));
    assert.ok(fence.calls.includes("kill --signal=KILL -- web@1.service odd\\x2dname.container"));
    fence.write("states", "inactive\nfailed\n");
    const before = fence.calls.length;
    await fence.rounds(4);
    assert.ok(fence.calls.length <= before + 3, "it ends when nothing runs");
  });

  test("does not kill after the lease came back", async () => {
    await using fence = new Fence((f) => {
      f.write("units", units);
      f.write("states", "active\ndeactivating\n");
      f.write("deadline", "99\n");
      f.write("renewed", "200\n");
    });
    await fence.until(() => fence.calls.length > 1);
    await fence.rounds(3);
    assert.ok(!fence.calls.some((call) => call.startsWith("kill")));
  });

  test("arms again when the deadline moves", async () => {
    await using fence = new Fence((f) => {
      f.write("units", units);
      f.write("deadline", "99\n");
    });
    await fence.until(() => fence.calls.length === 2);
    fence.write("deadline", "150.25\n");
    await fence.rounds(2);
    assert.equal(fence.calls.length, 2);
    fence.write("uptime", "150.25 1.00\n");
    await fence.until(() => fence.calls.length > 2);
  });

  test("is exact when the deadline is near", async () => {
    await using fence = new Fence((f) => {
      f.write("units", units);
      f.write("deadline", "100.08\n");
    });
    await fence.until(() => fence.pauses.length > 0);
    assert.equal(fence.pauses[0], "0.09");
    fence.write("uptime", "100.08 1.00\n");
    await fence.until(() => fence.calls.length > 0);
  });

  const harmless: readonly (readonly [string, string | undefined])[] = [
    ["no deadline", undefined],
    ["none", "none\n"],
    ["an empty file", ""],
    ["words", "soon; rm -rf /\n"],
    ["a minus sign", "-5\n"],
    ["several points", "1.2.3\n"],
    ["a bare point", ".5\n"],
    ["a shell pattern", "*\n"],
    ["a number beyond all clocks", "99999999999999999999999\n"],
    ["binary", "\0\x01\xff99\n"],
    ["one that is ahead", "0000000500.5 0\n"],
  ];
  for (const [what, content] of harmless) {
    test(`never stops anything by: ${what}`, async () => {
      await using fence = new Fence((f) => {
        f.write("units", units);
        if (content !== undefined) f.write("deadline", content);
      });
      await fence.rounds(2);
      assert.deepEqual(fence.calls, []);
      assert.ok(fence.alive);
    });
  }

  test("outlives an unreadable clock and a missing or empty list of units", async () => {
    await using fence = new Fence((f) => {
      f.write("uptime", "garbage\n");
      f.write("deadline", "99\n");
    });
    await fence.rounds(2);
    assert.deepEqual(fence.calls, []);
    fence.write("uptime", "100.00 1.00\n");
    await fence.until(() => existsSync(join(fence.folder, "fenced")));
    assert.deepEqual(fence.calls, []);
    assert.ok(fence.alive);
  });
});
