// Versions and rollouts on the command line, against the real API over a store in memory.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { MadeChange } from "../../src/cli/change.ts";
import { outcomeText } from "../../src/cli/outcome-text.ts";
import { runApi } from "../api/running-api.ts";
import type { RunningApi } from "../api/running-api.ts";
import { runKeel } from "./run-keel.ts";
import type { Ran } from "./run-keel.ts";

const text = (version: number): string => `[Service]\nExecStart=/bin/server ${version}\n`;

describe("versions and rollouts on the command line", () => {
  let running: RunningApi;
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keel-rollouts-"));
  });
  after(() => rm(folder, { recursive: true }));

  const keel = async (...argv: string[]): Promise<Ran> => {
    const env = { KEEL_ENDPOINT: `unix:${running.api.socket}`, USER: "ada" };
    return await runKeel(argv, { env, cwd: folder });
  };
  const well = async (...argv: string[]): Promise<string> => {
    const { code, stdout, stderr } = await keel(...argv);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  /** A test with an API of its own, in which a.service has two versions. */
  const withVersions = (name: string, body: () => Promise<void>): void => {
    test(name, async () => {
      await using api = await runApi();
      running = api;
      await writeFile(join(folder, "a.service"), text(1));
      await writeFile(join(folder, "next.txt"), text(2));
      await well("start", "--no-wait", "./a.service");
      await well("update", "--no-wait", "a", "next.txt");
      await body();
    });
  };

  withVersions("update takes a file of any name, or the path of one that is called as the unit", async () => {
    await writeFile(join(folder, "a.service"), text(3));
    const plan = await well("update", "--dry-run", "./a.service");
    assert.match(plan, /^update a\.service\n~ a\.service {2}content .* → .*\n/);
    assert.match(plan, /note: a\.service: one instance, which is to be healthy for 2 s; all go back/);
    assert.equal((await keel("update", "--dry-run", "--detailed-exitcode", "./a.service")).code, 3);
    assert.equal((await keel("update", "b", "next.txt")).code, 7);
    assert.equal((await keel("update", "a", "nowhere.txt")).code, 2);
    await writeFile(join(folder, "odd.txt"), "[X-Fleet]\nMachinMetadata=x\n");
    assert.equal((await keel("update", "a", "odd.txt")).code, 2);
  });

  withVersions("versions names who, which, and where each is", async () => {
    const lines = (await well("versions", "a")).trim().split("\n");
    assert.match(lines[0] ?? "", /^VERSION +WHEN +WHO +OPERATION +INSTANCES +STATE/);
    assert.match(lines[1] ?? "", /^2 .* ada .* 0 +rolling/);
    assert.match(lines[2] ?? "", /^1 .* ada .* 1 +current/);
    const { versions } = JSON.parse(await well("versions", "a", "-o", "json"));
    assert.deepEqual(
      versions.map((it: Record<string, unknown>) => [it.unit, it.number, it.current]),
      [
        ["a.service", 2, false],
        ["a.service", 1, true],
      ],
    );
  });

  withVersions("diff compares versions, and versions with files", async () => {
    const change = (from: string, to: string): string =>
      `@@ -1,2 +1,2 @@\n [Service]\n-ExecStart=/bin/server ${from}\n+ExecStart=/bin/server ${to}\n`;
    const header = "--- a.service version 1\n+++ a.service version 2\n";
    assert.equal(await well("diff", "a"), header + change("1", "2"));
    assert.equal(await well("diff", "a", "1", "2"), header + change("1", "2"));
    assert.ok((await well("diff", "a", "2", "1")).endsWith(change("2", "1")));
    await writeFile(join(folder, "a.service"), text(3));
    const third = await well("diff", "a", "./a.service");
    assert.equal(third, `--- a.service version 2\n+++ ./a.service\n${change("2", "3")}`);
    assert.equal(await well("diff", "a", "2", "next.txt"), "");
    assert.equal((await keel("diff", "a", "--detailed-exitcode")).code, 3);
    assert.equal((await keel("diff", "a", "2", "2", "--detailed-exitcode")).code, 0);
    assert.equal((await keel("diff", "a", "7")).code, 7);
    assert.equal((await keel("diff", "a", "no-such-file")).code, 2);
  });

  withVersions("cat prints an earlier version, byte for byte", async () => {
    assert.equal(await well("cat", "a", "--version", "1"), text(1));
    assert.equal(await well("cat", "a"), text(2));
    assert.equal((await keel("cat", "a", "--version", "9")).code, 7);
    assert.equal((await keel("cat", "a", "--version", "x")).code, 2);
  });

  withVersions("rollout shows, pauses, resumes and stops", async () => {
    assert.match(await well("rollout", "status"), /a\.service +running +1 → 2 +0\/1 .*0 of 1 updated/);
    assert.equal(await well("rollout", "pause", "a"), "pause the rollout of a.service: done\n");
    assert.match(await well("rollout", "status", "a"), /paused with 0 of 1 updated: paused by ada/);
    await well("rollout", "resume", "--no-wait", "a");
    await well("rollout", "abort", "a");
    assert.match(await well("rollout", "status", "a"), /aborted/);
    const resumed = await keel("rollout", "resume", "a", "--timeout", "1s");
    assert.equal(resumed.code, 5, resumed.stderr);
    assert.match(resumed.stderr, /a\.service: not yet: waits for its turn/);
    assert.equal((await keel("rollout", "status", "b")).code, 7);
    assert.equal((await keel("rollout", "explode", "a")).code, 2);
  });

  withVersions("what stands still is told as such", async () => {
    await well("rollout", "pause", "a");
    const { operation } = JSON.parse(await well("rollout", "status", "a", "-o", "json")).rollouts[0];
    const shown = await well("op", "show", operation);
    assert.match(shown, /Outcome: failed\na\.service +failed +not updated: paused by ada/);
  });

  withVersions("rollback goes to the version before, or to the one that is named", async () => {
    assert.match(await well("rollback", "--dry-run", "a"), /^roll a\.service back to version 1\n/);
    await well("rollback", "--no-wait", "a");
    assert.equal(await well("cat", "a"), text(1));
    await well("rollback", "--no-wait", "a", "--to", "2");
    assert.equal(await well("cat", "a"), text(2));
    assert.equal((await keel("rollback", "a", "--to", "9")).code, 7);
    assert.equal((await keel("rollback", "a", "--to", "0")).code, 2);
  });

  test("why all instances went back is said once, with the error", async () => {
    const rollout = {
      unit: "a@.service",
      state: "reverted",
      from: 1,
      to: 2,
      updated: 0,
      total: 2,
      batch: 0,
      waitsFor: "",
      reason: "a@1.service failed on m1: exit status 3",
    } as const;
    const reason = `went back to version 1: ${rollout.reason}`;
    const item = { unit: rollout.unit, want: "active", state: "failed", machine: null, reason } as const;
    const items = [1, 2].map((number) => ({ ...item, instance: `a@${number}.service` }));
    const own = { ...item, instance: "a@3.service", reason: "exit status 4" };
    const operation = {
      id: "x",
      kind: "update",
      changes: [{}],
      records: 0,
      impact: { reversible: "exactly" },
    };
    const progress = { done: true, outcome: "failed", items: [...items, own], rollouts: [rollout] };
    const made = { operation, progress, timedOut: false } as unknown as MadeChange;
    assert.equal(
      outcomeText(made, { instances: [], command: (words) => `keel ${words}` }),
      "a@1.service  failed: went back to version 1\n" +
        "a@2.service  failed: went back to version 1\n" +
        "a@3.service  failed: exit status 4\n",
    );
  });
});
