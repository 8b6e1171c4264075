// The commands against the real API, over a store in memory. Nothing places units here: what needs machines is
// tested on machines.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildHelloImage } from "../../../../examples/hello/image.ts";
import { candidatesFor } from "../../src/cli/completion.ts";
import { DaemonClient } from "../../src/cli/daemon/client.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { fill, runApi } from "../api/running-api.ts";
import type { RunningApi } from "../api/running-api.ts";
import { keys } from "../../src/model/keys.ts";
import { machineCodec } from "../../src/model/machine.ts";
import { machineRecord } from "../registry/records.ts";
import { runKeel } from "./run-keel.ts";
import type { Ran } from "./run-keel.ts";

describe("commands against the API", () => {
  let running: RunningApi;
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keel-cli-"));
  });
  after(() => rm(folder, { recursive: true }));

  const keelAt = async (argv: readonly string[], terminal: Partial<Terminal> = {}): Promise<Ran> => {
    const env = { KEEL_ENDPOINT: `unix:${running.api.socket}`, USER: "ada" };
    return await runKeel(argv, { env, cwd: folder, ...terminal });
  };
  const keel = (...argv: string[]): Promise<Ran> => keelAt(argv);
  const submit = async (...names: string[]): Promise<void> => {
    for (const name of names) await writeFile(join(folder, name), "[Service]\nExecStart=/bin/true\n");
    const { code, stderr } = await keel("start", "--no-wait", ...names.map((name) => `./${name}`));
    assert.equal(code, 0, stderr);
  };
  /** A test with an API of its own, closed at its end. */
  const withApi = (name: string, body: () => Promise<void>): void => {
    test(name, async () => {
      await using api = await runApi();
      running = api;
      await body();
    });
  };

  withApi("submit and cat: every byte comes back, from the instance's name too", async () => {
    const text = '[Unit]\r\nDescription=ä \\\n  # no comment\n[Service]\nExecStart=/bin/echo "%i"';
    await writeFile(join(folder, "odd@.service"), text);
    assert.equal((await keel("submit", "./odd@.service", "-n", "2")).code, 0);
    assert.equal((await keel("cat", "odd@")).stdout, text);
    assert.equal((await keel("cat", "odd@2")).stdout, text);
    const { json } = await keel("cat", "odd@.service", "-o", "json");
    assert.equal(Buffer.from(json.body, "base64").toString(), text);
  });

  withApi(
    "lists: tables with fields, JSON with a version and the revision, ndjson line by line",
    async () => {
      const records = fill(running.store);
      records.machine(1);
      records.machine(2, false);
      await submit("a.service", "b.service");
      records.order(1, "a.service");
      records.status(1, "a.service");
      const machines = await keel("list-machines", "--fields=name,state", "--no-legend");
      assert.deepEqual(
        machines.stdout.split("\n").map((line) => line.trim()),
        ["m1  up", "m2  lost", ""],
      );
      const units = (await keel("list-units", "-o", "json")).json;
      assert.deepEqual([units.version, units.instances.length, typeof units.revision], [1, 2, "number"]);
      const lines = (await keel("list-unit-files", "-o", "ndjson")).stdout.trim().split("\n");
      assert.deepEqual(
        lines.map((line) => [JSON.parse(line).version, JSON.parse(line).type, JSON.parse(line).name]),
        [
          [1, "unit", "a.service"],
          [1, "unit", "b.service"],
        ],
      );
      assert.match((await keel("ls", "a")).stdout, /^UNIT +MACHINE.*\na\.service +m1 +healthy/);
      assert.equal((await keel("list-units", "--fields=nope")).code, 2);
    },
  );

  withApi("a change without waiting: what was asked for, and how to take it back", async () => {
    await writeFile(join(folder, "a.service"), "[Service]\nExecStart=/bin/true\n");
    const { code, stdout } = await keel("start", "a.service", "--no-wait");
    assert.equal(code, 0);
    assert.match(stdout, /^start a\.service: asked for\nundo: keel undo [0-9a-z]{16}\n$/);
    const json = (await keel("op", "list", "-o", "json")).json;
    assert.deepEqual([json.operations[0].who, json.operations[0].via], ["ada", "cli"]);
  });

  withApi("what-if: what moves, what fits nowhere, exit 3 when something does", async () => {
    const records = fill(running.store);
    for (const number of [1, 2, 3]) records.machine(number);
    await submit("a.service");
    const [unit] = (await keel("list-unit-files", "-o", "json")).json.units;
    records.order(1, "a.service", { hash: unit.hash });
    records.status(1, "a.service", { hash: unit.hash });
    const lost = await keel("what-if", "lose", "m1");
    assert.equal(lost.code, 0, lost.stderr);
    assert.match(
      lost.stdout,
      /^If m1 is lost:\na\.service +m1 → m2 +moved from m1: its lease ran out; fewest/,
    );
    assert.match(
      lost.stdout,
      /\nMACHINE +UNITS\nm1 \(lost\) +1 → 0\nm2 +0 → 1\nEverything would have its place\.\n$/,
    );
    assert.equal((await keel("what-if", "drain", "m1", "-o", "json")).json.fits, true);
    await writeFile(
      join(folder, "gpu.service"),
      "[Service]\nExecStart=/bin/true\n[X-Fleet]\nMachineMetadata=gpu=yes\n",
    );
    const started = await keel("what-if", "start", "gpu.service");
    assert.equal(started.code, 3, started.stderr);
    assert.match(started.stdout, /^gpu\.service +no place +no machine fits/m);
    assert.match(started.stdout, /1 instance would have no place\.\n$/);
    const added = await keel(
      "what-if",
      "add",
      "--memory",
      "4G",
      "--cpus",
      "4",
      "--metadata",
      "zone=a,gpu=yes",
    );
    assert.equal(added.code, 0, added.stderr);
    assert.match(added.stdout, /nothing moves/);
    assert.equal((await keel("what-if", "add", "--memory", "much")).code, 2);
    assert.equal((await keel("what-if", "scale", "a.service", "3")).code !== 0, true);
  });

  withApi("events and timeline: what happened, with causes and milliseconds", async () => {
    const records = fill(running.store);
    records.machine(1);
    await submit("a.service");
    const [unit] = (await keel("list-unit-files", "-o", "json")).json.units;
    const [operation] = (await keel("op", "list", "-o", "json")).json.operations;
    const { at, id } = operation;
    records.order(1, "a.service", { hash: unit.hash, placed: at + 12, because: "fewest units (0)" });
    records.status(1, "a.service", { hash: unit.hash, steps: { received: at + 20, active: at + 340 } });
    const events = await keel("events", "a");
    assert.equal(events.code, 0, events.stderr);
    assert.match(events.stderr, /^The store’s history goes back to \d{4}-/);
    const lines = events.stdout.trim().split("\n");
    assert.match(
      lines[0] ?? "",
      new RegExp(`a\\.service start a\\.service: asked for by ada \\(cli\\)  \\[${id}\\]$`),
    );
    assert.match(lines[1] ?? "", /a\.service placed on m1: fewest units \(0\) {2}\+12 ms {2}\[.+ by ada\]$/);
    assert.match(lines.at(-1) ?? "", /a\.service active on m1 {2}\+340 ms/);
    assert.equal((await keel("events", "m1", "-o", "json")).json.events.length, 4);
    assert.equal((await keel("events", "--since", "1h", "-o", "ndjson")).stdout.trim().split("\n").length, 4);
    assert.equal((await keel("events", "gone.service")).code, 0);
    assert.equal((await keel("events", "none")).code, 7);
    const timeline = await keel("timeline", "a");
    assert.match(timeline.stdout, /^a\.service on m1 {2}done after 340 ms\n/);
    assert.match(timeline.stdout, /\n {2}\+340 ms +320 ms +active\n {2}operation /);
    assert.equal((await keel("timeline", "a", "-o", "json")).json.instances[0].totalMs, 340);
  });

  withApi("status without units: machines, units, and what the cluster could lose", async () => {
    const records = fill(running.store);
    for (const number of [1, 2]) records.machine(number);
    const fine = await keel("status");
    assert.equal(fine.code, 0, fine.stderr);
    assert.match(
      fine.stdout,
      /^machines +2 up\nunits +0, all as asked for\nlosses +the cluster can lose any one machine$/m,
    );
    records.machine(3, false);
    await submit("a.service");
    const lost = await keel("status");
    assert.equal(lost.code, 1);
    assert.match(lost.stdout, /^machines +2 of 3 up; lost: m3\nunits +1, 1 not as asked for$/m);
    const { survivability, machines } = (await keel("status", "-o", "json")).json;
    assert.deepEqual([typeof survivability.words, machines.lost], ["string", ["m3"]]);
  });

  withApi("why: a unit with its reasons, a machine with what it has and refuses", async () => {
    const records = fill(running.store);
    records.machine(1);
    await submit("a.service");
    const [unit] = (await keel("list-unit-files", "-o", "json")).json.units;
    records.order(1, "a.service", { hash: unit.hash, because: "fewest units (0)" });
    records.status(1, "a.service", {
      hash: unit.hash,
      active: "failed",
      health: "failed",
      reason: "exit status 127",
    });
    const failed = await keel("why", "a");
    assert.match(
      failed.stdout,
      /^a\.service is on m1: fewest units \(0\)\.\n {2}it failed on m1 .+ \(the program was not found\)\.\n/,
    );
    assert.match(failed.stdout, /\n {2}last changed .+ asked for by ada \(cli\), operation /);
    const machine = await keel("why", "m1");
    assert.match(
      machine.stdout,
      /^m1 has 1 unit\.\n {2}.+ can still be requested\.\nIt has\n {2}a\.service +failed +fewest/,
    );
    assert.equal((await keel("why", "m1", "-o", "json")).json.has[0].instance, "a.service");
    assert.equal((await keel("why", "none")).code, 7);
  });

  withApi(
    "settings of the cluster: shown, changed, taken back, and refused when they make no sense",
    async () => {
      assert.match(
        (await keel("settings")).stdout,
        /^auto-rebalance +off .*\novercommit-memory +1 .*\novercommit-cpu +1 /,
      );
      const { code, stderr } = await keel(
        "settings",
        "overcommit-memory=1.5",
        "overcommit-cpu=4",
        "auto-rebalance=on",
      );
      assert.equal(code, 0, stderr);
      const { json } = await keel("settings", "-o", "json");
      assert.deepEqual([json.autoRebalance, json.overcommit], [true, { memory: 1.5, cpu: 4 }]);
      assert.equal((await keel("undo")).code, 0);
      assert.match((await keel("settings")).stdout, /^overcommit-memory +1 /m);
      for (const wrong of [
        "overcommit-memory=0.5",
        "overcommit-cpu=x",
        "auto-rebalance=1",
        "nonsense=1",
        "auto-rebalance",
      ])
        assert.equal((await keel("settings", wrong)).code, 2, wrong);
    },
  );

  withApi(
    "what a machine has for units, what they ask for, and limits that its kernel does not hold",
    async () => {
      const records = fill(running.store);
      records.machine(1);
      const record = machineRecord(1, {
        capacity: { cpus: 2, memoryBytes: 2 ** 30, unenforced: ["memory"] },
        allocatable: { cpus: 2, memoryBytes: 3 * 2 ** 28 },
      });
      running.put(keys.machine(record.id), machineCodec.encode(record));
      const file = "[Service]\nExecStart=/bin/true\nMemoryMax=256M\nCPUQuota=50%\n";
      await writeFile(join(folder, "a.service"), file);
      const submitted = await keel("start", "a.service", "--no-wait");
      assert.match(
        submitted.stdout + submitted.stderr,
        /a\.service: no machine enforces its limits on memory/,
      );
      const [unit] = (await keel("list-unit-files", "-o", "json")).json.units;
      records.order(1, "a.service", { hash: unit.hash });
      records.status(1, "a.service", { hash: unit.hash });
      const machines = await keel(
        "list-machines",
        "--fields=name,allocatable,requested,free,unenforced",
        "--no-legend",
      );
      assert.equal(machines.stdout, "m1  768 MiB, 2 CPU  256 MiB, 0.5 CPU  512 MiB, 1.5 CPU  memory\n");
      assert.match((await keel("why", "a")).stdout, /does not enforce its limits on memory/);
      const units = await keel("list-units", "--fields=unit,unenforced", "--no-legend");
      assert.equal(units.stdout, "a.service  memory\n");
    },
  );

  withApi("waiting for what does not come: exit 5, with the operation", async () => {
    await writeFile(join(folder, "a.service"), "[Service]\nExecStart=/bin/true\n");
    const { code, stderr } = await keel("start", "a.service", "--timeout", "3s");
    assert.equal(code, 5, stderr);
    assert.match(stderr, /error: operation [0-9a-z]{16} is not finished yet: a\.service \(.+\)\n/);
    assert.match(stderr, /code: KEEL-602/);
  });

  withApi("a span that cannot be read is told before anything is changed", async () => {
    await submit("a.service");
    for (const argv of [
      ["stop", "a", "--timeout", "banana"],
      ["destroy", "a", "--timeout=-1s"],
      ["restart", "a", "--timeout", "5x"],
    ]) {
      const { code, stderr } = await keel(...argv);
      assert.equal(code, 2, `${argv.join(" ")}: ${stderr}`);
    }
    const { operations } = (await keel("op", "list", "-o", "json")).json;
    assert.equal(operations.length, 1);
  });

  withApi("a restart of what is stopped restarts nothing, and says so", async () => {
    await submit("a.service");
    const records = fill(running.store);
    records.machine(1);
    await keel("stop", "a", "--no-wait");
    const [unit] = (await keel("list-unit-files", "-o", "json")).json.units;
    records.order(1, "a.service", { desired: "loaded", hash: unit.hash });
    records.status(1, "a.service", { active: "inactive", sub: "dead", hash: unit.hash });
    const { code, stdout, stderr } = await keel("restart", "a");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^a\.service  not started, so not restarted; keel start a\.service\n$/);
  });

  withApi("lists refuse a name that nothing has; a pattern may match nothing", async () => {
    await submit("web.service");
    for (const list of ["list-units", "list-unit-files"]) {
      assert.equal((await keel(list, "absent")).code, 7);
      assert.equal((await keel(list, "absent*")).code, 0);
      assert.equal((await keel(list, "web")).code, 0);
    }
    assert.match((await keel("list-units", "web.servic")).stderr, /did you mean web/);
  });

  withApi("guards: everything, empty and all-matching selectors are refused with exit 4", async () => {
    await submit("a.service", "b.service", "c.service", "d.service");
    for (const argv of [
      ["destroy", "--all"],
      ["destroy"],
      ["destroy", ""],
      ["stop", "*"],
      ["unload", "x*"],
    ]) {
      const { code, stderr } = await keel(...argv, "--no-wait");
      assert.equal(code, 4, `${argv.join(" ")}: ${stderr}`);
      assert.match(stderr, /\nhint: .+\ncode: KEEL-20/);
    }
    assert.equal((await keel("list-unit-files", "-o", "json")).json.units.length, 4);
    const all = await keel("destroy", "--all");
    assert.match(all.stderr, /Impact: stops or removes 4 of 4 units \(100 %\)/);
    assert.match(all.stderr, /hint: .*--confirm test/);
    const half = await keel("destroy", "a", "b");
    assert.match(half.stderr, /--max-impact 50/);
    assert.equal((await keel("destroy", "a", "b", "--max-impact", "50", "--no-wait")).code, 0);
    assert.equal((await keel("destroy", "--all", "--confirm", "test", "--no-wait")).code, 0);
    assert.equal((await keel("list-unit-files", "-o", "json")).json.units.length, 0);
  });

  withApi(
    "a person may confirm by typing the cluster's name; --yes asks nothing and is refused",
    async () => {
      await submit("a.service", "b.service", "c.service", "d.service");
      const env = { KEEL_ENDPOINT: `unix:${running.api.socket}` };
      const person = (answer: string): Partial<Terminal> => ({
        env,
        interactive: true,
        ask: () => Promise.resolve(answer),
      });
      const argv = ["destroy", "--all", "--no-wait"];
      assert.equal((await keelAt(argv, person("y"))).code, 4);
      assert.equal((await keelAt([...argv, "--yes"], person("test"))).code, 4);
      assert.equal((await keelAt(argv, person("test"))).code, 0);
    },
  );

  withApi("destroy and undo, by the beginning of the operation's identity and without", async () => {
    await submit("a.service");
    const file = (await keel("cat", "a")).stdout;
    const destroyed = (await keel("destroy", "a", "--no-wait", "-o", "json")).json;
    assert.equal(destroyed.undo, `keel undo ${destroyed.operation.id}`);
    assert.equal((await keel("undo", destroyed.operation.id.slice(0, 14), "--no-wait")).code, 0);
    assert.equal((await keel("cat", "a")).stdout, file);
    assert.equal((await keel("undo", "--no-wait")).code, 0);
    assert.equal((await keel("cat", "a")).code, 7);
    assert.equal((await keel("undo", "zzzz")).code, 7);
  });

  withApi("--dry-run changes nothing; --detailed-exitcode says whether it would", async () => {
    await submit("a.service");
    const plan = await keel("stop", "a", "--dry-run");
    assert.equal(plan.code, 0);
    assert.match(
      plan.stdout,
      /~ a\.service +launched → loaded\nImpact: stops or removes 1 of 1 unit \(100 %\).*; can be undone exactly\./,
    );
    assert.equal((await keel("stop", "a", "--dry-run", "--detailed-exitcode")).code, 3);
    assert.equal((await keel("start", "a", "--dry-run", "--detailed-exitcode")).code, 0);
    const all = (await keel("destroy", "--all", "--dry-run", "-o", "json")).json;
    assert.equal(all.plan.refusal.code, "KEEL-202");
    assert.equal((await keel("list-unit-files", "-o", "json")).json.units[0].desired, "launched");
  });

  withApi("handing in and loading never stop what runs", async () => {
    await submit("a.service");
    for (const argv of [
      ["submit", "a.service"],
      ["load", "a"],
      ["submit", "./a.service"],
      ["load", "./a.service"],
    ]) {
      const { code, stderr } = await keel(...argv, "--no-wait");
      assert.equal(code, 0, `${argv.join(" ")}: ${stderr}`);
    }
    assert.equal((await keel("list-unit-files", "-o", "json")).json.units[0].desired, "launched");
    assert.deepEqual((await keel("load", "a", "-o", "json")).json.operation, null);
  });

  withApi("units and files together are one change", async () => {
    await submit("a.service");
    await keel("stop", "a", "--no-wait");
    await writeFile(join(folder, "b.service"), "[Service]\nExecStart=/bin/true\n");
    const { json } = await keel("start", "a", "./b.service", "--no-wait", "-o", "json");
    assert.deepEqual(json.operation.units.toSorted(), ["a.service", "b.service"]);
    const { units } = (await keel("list-unit-files", "-o", "json")).json;
    assert.deepEqual(
      units.map((unit: { desired: string }) => unit.desired),
      ["launched", "launched"],
    );
  });

  withApi("run writes a Quadlet, shows it, and hands it in as a template with replicas", async () => {
    const argv = ["run", "localhost/hello:latest", "-n", "2", "-p", "8080", "--name", "web"];
    const shown = await keel(...argv, "--dry-run");
    assert.match(shown.stdout, /^# web@\.container\n\[Unit\]\n/);
    assert.match(shown.stdout, /\+ web@\.container +new, start, 2 replicas\n/);
    assert.equal((await keel(...argv, "--no-wait")).code, 0);
    const { units } = (await keel("list-unit-files", "-o", "json")).json;
    assert.deepEqual([units[0].name, units[0].replicas], ["web@.container", 2]);
    assert.equal((await keel("scale", "web", "5", "--no-wait")).code, 0);
    assert.equal((await keel("list-unit-files", "-o", "json")).json.units[0].replicas, 5);
    assert.equal((await keel("scale", "web", "many")).code, 2);
    assert.equal((await keel(...argv, "-e", "A=1", "--no-wait")).code, 8);
    assert.equal((await keel(...argv, "-e", "A=1", "--replace", "--no-wait")).code, 0);
  });

  withApi(
    "a bad file is refused with its line, column and the nearest name, before anything is changed",
    async () => {
      await writeFile(join(folder, "bad.service"), "[Service]\nExecStart=/bin/true\n[X-Fleet]\nGlobl=true\n");
      await writeFile(join(folder, "good.service"), "[Service]\nExecStart=/bin/true\n");
      const { code, stderr } = await keel("start", "./good.service", "./bad.service");
      assert.equal(code, 2);
      assert.match(stderr, /bad\.service:4:1/);
      assert.match(stderr, /Global/);
      assert.equal((await keel("list-unit-files", "-o", "json")).json.units.length, 0);
    },
  );

  withApi("nothing of that name: exit 7 with the nearest; in JSON too", async () => {
    await submit("web.service");
    for (const argv of [
      ["start", "wbe.service"],
      ["stop", "wbe.service"],
      ["cat", "wbe"],
      ["why", "wbe"],
      ["status", "wbe"],
    ]) {
      const { code, stderr } = await keel(...argv);
      assert.equal(code, 7, `${argv.join(" ")}: ${stderr}`);
    }
    const { stderr } = await keel("stop", "wbe.service", "-o", "json");
    assert.equal(JSON.parse(stderr).error.code, "KEEL-501");
  });

  withApi("why tells each machine's reason", async () => {
    const records = fill(running.store);
    records.machine(1);
    records.machine(2);
    await writeFile(
      join(folder, "picky.service"),
      "[Service]\nExecStart=/bin/true\n[X-Fleet]\nMachineMetadata=disk=ssd\n",
    );
    await keel("start", "./picky.service", "--no-wait");
    const { stdout, code } = await keel("why", "picky");
    assert.equal(code, 0);
    assert.match(stdout, /^picky\.service is on no machine: .+\.\n/);
    assert.match(stdout, /\n  m1  no: .*disk=ssd.*\n  m2  no: .+\n/);
  });

  withApi("operations: list, show by prefix, purge only with the cluster's name", async () => {
    await submit("a.service");
    const { operations } = (await keel("op", "list", "-o", "json")).json;
    const show = await keel("op", "show", operations[0].id.slice(0, 15));
    assert.match(
      show.stdout,
      /^[0-9a-z]{16}: start a\.service\nby ada via cli, .+\n\+ a\.service +new, start\n/,
    );
    assert.match((await keel("op", "show")).stderr, /hint: keel op show --help/);
    const refused = await keel("op", "purge");
    assert.match(refused.stderr, /^forget 1 operation\nImpact: stops nothing; cannot be undone\.\n/);
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, /code: KEEL-204/);
    const purged = await keel("op", "purge", "--confirm", "test");
    assert.equal(purged.code, 0, purged.stderr);
    assert.doesNotMatch(purged.stdout, /undo/);
    const left = (await keel("op", "list", "-o", "json")).json.operations;
    assert.deepEqual(
      left.map((it: { kind: string }) => it.kind),
      ["purge"],
    );
  });

  withApi("images: load, list, remove", async () => {
    await writeFile(join(folder, "busybox"), "no program");
    await writeFile(join(folder, "hello.tar"), await buildHelloImage(join(folder, "busybox")));
    const loaded = await keel("image", "load", "hello.tar", "-o", "json");
    assert.equal(loaded.code, 0, loaded.stderr);
    assert.equal(loaded.json.image.name, "localhost/hello:latest");
    assert.match((await keel("image", "ls")).stdout, /^IMAGE .*\nlocalhost\/hello:latest /);
    assert.equal((await keel("image", "rm", "hello")).code, 0);
    assert.equal((await keel("image", "rm", "hello")).code, 7);
    await writeFile(join(folder, "junk.tar"), "junk");
    assert.equal((await keel("image", "load", "junk.tar")).code, 2);
    assert.equal((await keel("image", "load", "absent.tar")).code, 2);
  });

  withApi("completion offers what is there", async () => {
    fill(running.store).machine(1);
    await submit("web.service");
    const client = DaemonClient.at({ socket: running.api.socket }, new AbortController().signal);
    const values = async (...words: string[]): Promise<string[]> =>
      (await candidatesFor(words, { daemon: () => Promise.resolve(client) })).map(({ value }) => value);
    assert.deepEqual(await values("stop", "w"), ["web.service"]);
    assert.deepEqual(await values("--cluster", "test", "stop", "w"), ["web.service"]);
    assert.deepEqual(await values("-o", "j"), ["json"]);
    assert.deepEqual(await values("ssh", ""), ["m1", "web.service"]);
    assert.deepEqual(await values("machine", "kill", ""), ["m1"]);
    assert.deepEqual(await values("machine", "--cluster", "test", "kill", ""), ["m1"]);
    assert.equal((await values("undo", "")).length, 1);
  });

  withApi("over TCP one can look and not touch: exit 4", async () => {
    await submit("a.service");
    const { port } = running.api.listening[0] ?? { port: 0 };
    const env = { KEEL_ENDPOINT: `http://127.0.0.1:${port}` };
    assert.equal((await keelAt(["list-units"], { env })).code, 0);
    const { code, stderr } = await keelAt(["stop", "a"], { env });
    assert.equal(code, 4, stderr);
    assert.match(stderr, /KEEL-604/);
  });

  withApi("version knows both sides", async () => {
    assert.match((await keel("version")).stdout, /^keel 0\.1\.0 \(Node .+\)\nkeeld 0\.1\.0\n$/);
  });
});
