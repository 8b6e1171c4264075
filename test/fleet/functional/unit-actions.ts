// unit_action, systemd and install of the original's list: what the verbs do to one unit.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { sleeper, type Stage } from "./stage.ts";

/** The state of a unit that runs says how it is. */
const running = ["launched", "healthy"];

export function unitActions(stage: Stage): void {
  const { cluster } = stage;
  const stateOf = async (name: string): Promise<string[]> => {
    const unit = (await cluster.snapshot()).units.find((one) => one.name === name);
    return unit === undefined ? [] : [unit.desired, unit.state];
  };
  const invocationOf = async (machine: string, unit: string): Promise<string> =>
    (await stage.inside(machine, `systemctl show -P InvocationID ${unit}`)).trim();

  test("UnitRunnable", async () => {
    await stage.hand("start", { "hello.service": sleeper() });
    await stage.untilActive("hello.service");
  });

  test("UnitSubmit", async () => {
    const [path = ""] = await stage.files({ "hello.service": sleeper() });
    await cluster.keel(["submit", path]);
    assert.deepEqual(await stateOf("hello.service"), ["inactive", "inactive"]);
    await cluster.keel(["submit", path]);
    assert.equal((await stage.rows("list-unit-files", "unit")).length, 1);
    await cluster.keel(["destroy", "hello.service"]);
    assert.deepEqual(await stage.rows("list-unit-files", "unit"), []);
    await cluster.keel(["submit", path]);
    assert.deepEqual(await stateOf("hello.service"), ["inactive", "inactive"]);
  });

  test("UnitLoad", async () => {
    const [path = ""] = await stage.files({ "hello.service": sleeper() });
    await cluster.keel(["load", path]);
    assert.deepEqual(await stateOf("hello.service"), ["loaded", "loaded"]);
    assert.deepEqual(await stage.active(), { "hello.service": ["inactive"] });
    await cluster.keel(["unload", "hello.service"]);
    assert.deepEqual(await stateOf("hello.service"), ["inactive", "inactive"]);
    await cluster.keel(["load", "hello.service"]);
    assert.deepEqual(await stateOf("hello.service"), ["loaded", "loaded"]);
  });

  test("UnitStart", async () => {
    const [path = ""] = await stage.files({ "hello.service": sleeper() });
    await cluster.keel(["start", path]);
    assert.deepEqual(await stateOf("hello.service"), running);
    await cluster.keel(["unload", "hello.service"]);
    await cluster.keel(["start", "hello.service"]);
    assert.deepEqual(await stage.active(), { "hello.service": ["active"] });
    await cluster.keel(["stop", "hello.service"]);
    assert.deepEqual(await stateOf("hello.service"), ["loaded", "loaded"]);
  });

  for (const [name, verb, flag, desired] of [
    ["UnitSubmitReplace", "submit", [], "inactive"],
    ["UnitLoadReplace", "load", [], "loaded"],
    ["UnitStartReplace", "start", [], "launched"],
  ] as const) {
    test(name, async () => {
      const before = sleeper();
      const after = before.replace("Test Unit", "Another Unit");
      await stage.hand(verb, { "hello.service": before }, ...flag);
      const same = await stage.hand(verb, { "hello.service": before }, "--replace");
      assert.equal(same.status, 0, "the same again changes nothing");
      await stage.hand(verb, { "hello.service": after }, "--replace");
      assert.deepEqual(await stateOf("hello.service"), desired === "launched" ? running : [desired, desired]);
      assert.equal((await cluster.keel(["cat", "hello.service"])).stdout, after);
      if (desired !== "launched") return;
      const { "hello.service": machine = "" } = await stage.untilActive("hello.service");
      assert.equal(
        (await stage.inside(machine, "systemctl show -P Description hello.service")).trim(),
        "Another Unit",
      );
    });
  }

  test("UnitRestart", async () => {
    await stage.hand("start", { "hello.service": sleeper() });
    const { "hello.service": machine = "" } = await stage.untilActive("hello.service");
    const before = await invocationOf(machine, "hello.service");
    await cluster.keel(["restart", "hello.service"]);
    await stage.untilActive("hello.service");
    assert.notEqual(await invocationOf(machine, "hello.service"), before, "it really was restarted");
  });

  test("UnitSSHActions", async () => {
    await stage.hand("start", { "hello.service": sleeper() });
    const { "hello.service": machine = "" } = await stage.untilActive("hello.service");
    const ssh = await cluster.keel([
      "ssh",
      "hello.service",
      "systemctl",
      "show",
      "-P",
      "ActiveState",
      "hello.service",
    ]);
    assert.equal(ssh.stdout.trim(), "active");
    const named = await cluster.keel(["ssh", machine, "hostname"]);
    assert.equal(named.stdout.trim(), machine);
    const journal = await cluster.keel(["journal", "--lines=5", "hello.service"]);
    assert.match(journal.stdout, /Hello, World!/);
    const status = await cluster.keel(["status", "hello.service"]);
    assert.match(status.stdout, /hello\.service[^]*Active: active \(running\)/);
  });

  test("UnitCat", async () => {
    const [path = ""] = await stage.files({
      "hello.service": `# first\n${sleeper("MachineMetadata=zone=a")}\n\n# last, without an end of line`,
    });
    await cluster.keel(["submit", path]);
    assert.equal((await cluster.keel(["cat", "hello.service"])).stdout, await readFile(path, "utf8"));
  });

  test("UnitStatus", async () => {
    await stage.hand("start", { "hello.service": sleeper() });
    assert.match((await cluster.keel(["status", "hello.service"])).stdout, /Active: active/);
    await cluster.keel(["stop", "hello.service"]);
    const stopped = await cluster.keel(["status", "hello.service"], { expect: 1 });
    assert.match(stopped.stdout, /Active: inactive/);
  });

  test("ListUnitFilesOrder", async () => {
    const names = ["hello@20.service", "hello@3.service", "hello@10.service", "another.service"];
    await stage.hand("submit", Object.fromEntries(names.map((name) => [name, sleeper()])));
    const listed = (await stage.rows("list-unit-files", "unit")).map(([unit]) => unit);
    assert.deepEqual(listed, ["another.service", "hello@3.service", "hello@10.service", "hello@20.service"]);
  });

  test("SystemdUnitFlow", async () => {
    await stage.hand("load", { "flow.service": sleeper() });
    const [[, machine = ""] = []] = await stage.rows("list-units", "unit,machine");
    const name =
      /(m\d)/.exec(machine)?.[1] ?? (await stage.cluster.snapshot()).instances[0]?.machineName ?? "";
    const show = async (): Promise<string> =>
      (await stage.inside(name, "systemctl show -P LoadState -P ActiveState flow.service"))
        .trim()
        .replace(/\s+/, " ");
    assert.equal(await show(), "loaded inactive");
    await cluster.keel(["start", "flow.service"]);
    assert.equal(await show(), "loaded active");
    await cluster.keel(["stop", "flow.service"]);
    assert.match(await show(), /^loaded (inactive|failed)$/);
    await cluster.keel(["unload", "flow.service"]);
    await stage.cluster.until("it is off its machine", ({ instances }) => instances.length === 0);
    assert.equal(await show(), "not-found inactive");
  });

  test("InstallUnit", async () => {
    await stage.hand("load", {
      "hello.service": sleeper(),
      "sidekick.service": sleeper("MachineOf=hello.service")
        .replace("Description=Test Unit", "Description=Sidekick\nBindsTo=hello.service\nAfter=hello.service")
        .replace("\n[X-Fleet]", "\n[Install]\nWantedBy=hello.service\n\n[X-Fleet]"),
    });
    const both = (state: string): Promise<unknown> =>
      cluster.until(`both ${state}`, ({ instances }) =>
        ["hello.service", "sidekick.service"].every((name) =>
          instances.some((one) => one.name === name && one.active === state),
        ),
      );
    await cluster.keel(["start", "hello.service"]);
    await both("active");
    await cluster.keel(["stop", "hello.service"]);
    await both("inactive");
  });
}
