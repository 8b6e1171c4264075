// What every provider of machines promises, as tests: containers and virtual machines pass the same ones. Two
// machines are enough, and a test leaves them running, healed and with their cables in.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KeelError } from "../../packages/keelson/src/base/errors.ts";
import { runCommand } from "../../packages/keelson/src/local/command.ts";
import type { Machines } from "./machines.ts";
import { tracesOf } from "./machines.ts";
import { ping, pingPatiently } from "./ping.ts";

/** Where the suite runs. */
export interface ProviderPlace {
  /** /etc as it can be written to. */
  readonly etc: string;
  /** Runs a task with the machines m1 and m2, which are up. */
  readonly withTwo: (
    t: TestContext,
    name: string,
    task: (machines: PlacedMachines) => Promise<void>,
  ) => Promise<void>;
}

export type PlacedMachines = Pick<Machines, "cluster" | "machines" | "sh">;

const code = (expected: string) => (error: unknown) => error instanceof KeelError && error.code === expected;
const names = ["m1", "m2"];

export function providerSuite({ etc, withTwo }: ProviderPlace): void {
  test("starts, knows who it is, and reaches the others and the host", (t) =>
    withTwo(t, "start", async ({ cluster, machines, sh }) => {
      for (const status of await machines.list()) {
        assert.equal(status.state, "running");
        assert.equal(status.link, "up");
        assert.equal((await sh(status.name, "cat /etc/machine-id")).trim(), status.machineId);
        assert.equal((await sh(status.name, "hostname")).trim(), status.name);
      }
      assert.equal(await machines.ready("m1"), "running", await sh("m1", "systemctl --failed --no-legend"));
      assert.match(await sh("m1", "getent hosts m2"), /^10\.205\.\d+\.12\s+m2/);
      assert.equal((await sh("m1", pingPatiently("m2"))).trim(), "yes");
      assert.equal((await sh("m1", pingPatiently("host"))).trim(), "yes");

      const mounted = await sh(
        "m1",
        `touch /file /usr/file 2>&1; touch ${etc}/file /var/file /root/file && echo written`,
      );
      assert.match(mounted, /\/file': Read-only/);
      assert.match(mounted, /\/usr\/file': Read-only/);
      assert.match(mounted, /^written$/m);

      const address = (await machines.list())[1]?.address;
      const ssh = ["ssh", ...cluster.sshOptions, `root@${address}`, "hostname; id -u"];
      assert.equal(await runCommand(ssh), "m2\n0\n");

      const before = await machines.list();
      await machines.start("m1");
      assert.deepEqual(await machines.list(), before, "starting what runs changes nothing");
      await assert.rejects(machines.create({ name: "m1" }), code("KEEL-305"));
      await assert.rejects(machines.start("m9"), code("KEEL-502"));
      await assert.rejects(machines.create({ name: "../m9" }), code("KEEL-104"));
    }));

  test("commands have their own words, variables, input and exit code", (t) =>
    withTwo(t, "exec", async ({ machines }) => {
      const script = 'printf "%s|%s|" "$1" "$WORD"; cat; exit 7';
      const argv = ["sh", "-c", script, "sh", "a 'b' $c"];
      const { code: ended, stdout } = await machines.exec("m1", argv, { env: { WORD: "x y" }, input: "in" });
      assert.deepEqual([ended, stdout], [7, "a 'b' $c|x y|in"]);
    }));

  test("is cut off in silence, from some or from all, and healed", (t) =>
    withTwo(t, "cut", async ({ machines, sh }) => {
      const reach = async (from: string): Promise<string[]> => {
        const hosts = [...names, "host"].filter((name) => name !== from);
        const answers = await Promise.all(hosts.map((host) => sh(from, ping(host))));
        return hosts.filter((_, i) => answers[i]?.trim() === "yes");
      };
      /** What is cut never answers; what is not may take a while, when its address has to be asked for anew. */
      const reaches = async (from: string, wanted: readonly string[]): Promise<void> => {
        const end = performance.now() + 30_000 * machines.slowness;
        for (;;) {
          const answering = await reach(from);
          const isWhole = wanted.every((name) => answering.includes(name));
          if (isWhole || answering.some((name) => !wanted.includes(name)) || performance.now() > end) {
            return assert.deepEqual(answering, wanted, `what ${from} reaches`);
          }
        }
      };
      await machines.cut("m2", ["m1"]);
      await machines.cut("m2", ["m1"]);
      assert.deepEqual(
        (await machines.list()).map(({ cutFrom }) => cutFrom),
        [["m2"], ["m1"]],
      );
      await reaches("m2", ["host"]);
      await reaches("m1", ["host"]);
      await machines.cut("m2", ["host"]);
      await reaches("m2", []);
      await machines.heal("m2", ["m1"]);
      await reaches("m2", ["m1"]);

      await machines.cut("m1");
      assert.equal((await machines.list())[0]?.cutFrom, "everything");
      await reaches("m1", []);
      const noticed = await sh(
        "m1",
        "ip -4 -oneline address show dev host0; cat /sys/class/net/host0/carrier",
      );
      assert.match(noticed, /10\.205[^]*\n1\n$/, "the machine notices nothing");
      await Promise.all(names.map((name) => machines.heal(name)));
      await reaches("m1", ["m2", "host"]);
      await reaches("m2", ["m1", "host"]);
    }));

  test("loses its carrier, and gets it back", (t) =>
    withTwo(t, "link", async ({ machines, sh }) => {
      await machines.linkDown("m1");
      assert.equal((await machines.list())[0]?.link, "down");
      assert.equal((await sh("m1", "cat /sys/class/net/host0/carrier")).trim(), "0");
      await machines.linkUp("m1");
      const end = performance.now() + 30_000 * machines.slowness;
      while ((await sh("m1", ping("host"))).trim() !== "yes") assert.ok(performance.now() < end);
      assert.equal((await machines.list())[0]?.link, "up");
    }));

  test("stands still while paused, and can be crashed then; a cut outlasts that", (t) =>
    withTwo(t, "pause", async ({ cluster, machines, sh }) => {
      const beat = "while :; do date +%s%N >/run/beat.new; mv /run/beat.new /run/beat; sleep 0.02; done";
      await sh("m1", `systemd-run --quiet sh -c '${beat}'; until test -s /run/beat; do sleep 0.05; done`);
      await machines.pause("m1");
      assert.equal((await machines.list())[0]?.state, "paused");
      await assert.rejects(machines.exec("m1", ["true"]), code("KEEL-303"));
      await machines.pause("m1");
      await sleep(4000);
      const now = Date.now();
      await machines.resume("m1");
      assert.match(await sh("m1", "cat /run/beat"), /^\d+$/m);
      // Whole seconds, of two clocks.
      const then = 1000 * Number(await sh("m1", "date +%s"));
      assert.ok(then >= now - 2000, `its clock is ${now - then} ms behind`);

      await sh("m1", `echo kept >${etc}/kept; echo kept >/var/lib/kept; sync`);
      await machines.cut("m1", ["m2"]);
      await machines.pause("m1");
      await machines.crash("m1");
      assert.equal((await machines.list())[0]?.state, "stopped");
      const left = (await tracesOf(cluster)).processes.filter((line) => line.includes("/m1/"));
      assert.deepEqual(left, []);
      await machines.crash("m1");
      await assert.rejects(machines.exec("m1", ["true"]), code("KEEL-303"));
      await machines.start("m1");
      await machines.ready("m1");
      assert.equal(await sh("m1", "cat /etc/kept /var/lib/kept"), "kept\nkept\n");
      assert.equal((await sh("m1", ping("m2"))).trim(), "no", "a cut outlasts a restart");
      await machines.heal("m1");
    }));

  test("shuts down in order, a paused one too", (t) =>
    withTwo(t, "stop", async ({ machines, sh }) => {
      await machines.pause("m2");
      await machines.stop("m2");
      assert.equal((await machines.list())[1]?.state, "stopped");
      await machines.stop("m2");
      await machines.start("m2");
      await machines.ready("m2");
      const inOrder = "journalctl --boot=-1 --no-pager | grep -c 'Stopped target multi-user.target'";
      assert.equal(await sh("m2", inOrder), "1\n");
    }));

  test("starts again when it is told to from within", (t) =>
    withTwo(t, "reboot", async ({ machines, sh }) => {
      const boot = (): Promise<string> =>
        sh("m2", "cat /proc/sys/kernel/random/boot_id; cat /proc/1/stat | cut -d' ' -f22");
      const first = await boot();
      await machines.exec("m2", ["systemctl", "reboot"]);
      const end = performance.now() + 300_000 * machines.slowness;
      const other = async (): Promise<boolean> => (await boot().catch(() => first)) !== first;
      while (!(await other())) {
        assert.ok(performance.now() < end, "it did not start again");
        await sleep(200);
      }
      await machines.ready("m2");
      assert.equal((await machines.list())[1]?.state, "running");
    }));
}
