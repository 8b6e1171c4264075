import assert from "node:assert/strict";
import { test } from "node:test";
import type { OsFacts } from "../../src/host/os-facts.ts";
import { readRescue, reformatState, repairState } from "../../src/updater/rescue.ts";
import type { RescueMachine } from "../../src/updater/rescue.ts";

const facts: OsFacts = { version: "1.0.0", variant: "vm", disk: "/dev/vda", stateDevice: "/dev/vda4" };

function machine(given: {
  mark?: string;
  facts?: OsFacts;
  status?: number;
  statuses?: number[];
  stderr?: string;
}) {
  const ran: string[] = [];
  const here: RescueMachine = {
    readMark: () => Promise.resolve(given.mark),
    readFacts: () => Promise.resolve(given.facts ?? facts),
    run: (argv) => {
      ran.push(argv.join(" "));
      return Promise.resolve({
        status: given.statuses?.shift() ?? given.status ?? 0,
        stdout: "checked\n",
        stderr: given.stderr ?? "",
      });
    },
  };
  return { here, ran };
}

test("a machine with its state has nothing to rescue, and nothing is run on its disk", async () => {
  const { here, ran } = machine({});
  assert.equal(await readRescue(here), undefined);
  await assert.rejects(repairState(here), { code: "KEEL-862" });
  await assert.rejects(reformatState(here), { code: "KEEL-862" });
  assert.deepEqual(ran, []);
});

test("the reason is one bounded line, also when the mark is empty", async () => {
  assert.equal((await readRescue(machine({ mark: "not there\nmore\n" }).here))?.reason, "not there");
  assert.equal((await readRescue(machine({ mark: "x".repeat(9000) }).here))?.reason.length, 400);
  assert.ok((await readRescue(machine({ mark: "" }).here))?.reason);
});

test("repair: what e2fsck mended counts as mended, what it leaves is told", async () => {
  for (const status of [0, 1, 2]) {
    const { here, ran } = machine({ mark: "damaged", status });
    assert.equal(await repairState(here), "checked");
    assert.deepEqual(ran, ["e2fsck -f -y /dev/vda4"]);
  }
  const twice = machine({ mark: "damaged", statuses: [12, 1] });
  assert.equal(await repairState(twice.here), "checked", "with the superblock back it goes on");
  assert.equal(twice.ran.length, 2);
  const { here } = machine({ mark: "damaged", status: 8, stderr: "bad superblock\n" });
  await assert.rejects(repairState(here), { code: "KEEL-863", message: /bad superblock/ });
});

test("a lost partition is not repaired but made anew by its description", async () => {
  const lost = { version: "1.0.0", variant: "vm", disk: "/dev/vda" };
  const { here, ran } = machine({ mark: "lost", facts: lost });
  await assert.rejects(repairState(here), { code: "KEEL-862" });
  await reformatState(here);
  assert.deepEqual(ran, ["systemd-repart --dry-run=no --definitions=/usr/lib/keelson/repart.d /dev/vda"]);
});

test("reformat makes the file system anew, and says when that failed", async () => {
  const { here, ran } = machine({ mark: "damaged" });
  await reformatState(here);
  assert.deepEqual(ran, ["mkfs.ext4 -q -F -L keelson-state /dev/vda4"]);
  await assert.rejects(reformatState(machine({ mark: "damaged", status: 1, stderr: "no space" }).here), {
    code: "KEEL-863",
  });
});
