// Every kind of unit on three real machines: what is written reaches systemd and podman unchanged, follows its
// references, obeys its placement, and says why when it cannot run.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import type { InstanceView } from "../../packages/keelson/src/api/wire/instance.ts";
import { compareNames } from "../../packages/keelson/src/model/unit-name.ts";
import { Cluster } from "../support/cluster.ts";
import type { KeelResult } from "../support/cluster.ts";
import { loadHelloImage } from "../support/hello-image.ts";
import { repository, whyNoMachines } from "../support/machines.ts";
import { patiently } from "../support/patiently.ts";
import { greeting, page as pageAt } from "../support/served.ts";

const cluster = new Cluster(`t${process.pid}-units`);
const skip = whyNoMachines();
const machines = ["m1", "m2", "m3"];
const image = "localhost/hello:latest";
let folder = "";

/** Writes unit files side by side; resolves with their paths. */
async function files(contents: Readonly<Record<string, string>>): Promise<string[]> {
  const paths = Object.keys(contents).map((name) => join(folder, name));
  for (const [name, text] of Object.entries(contents)) {
    await writeFile(join(folder, name), text);
  }
  return paths;
}

/** Hands files in and starts all of them. */
async function start(contents: Readonly<Record<string, string>>): Promise<KeelResult> {
  return cluster.keel(["start", ...(await files(contents))]);
}

/** Runs a shell line on the machine of that name or of that unit. */
async function sh(where: string, line: string): Promise<string> {
  if (machines.includes(where)) return cluster.inside(where, line);
  const found = (await cluster.snapshot()).instances.find(
    ({ name, companion, machineName }) =>
      !companion && machineName !== null && (name === where || name.startsWith(`${where}.`)),
  );
  assert.ok(found?.machineName, `${where} is on a machine`);
  return cluster.inside(found.machineName, line);
}

/** Runs the line until its output matches. */
async function shows(where: string, line: string, pattern: RegExp): Promise<void> {
  await patiently(async () => assert.match(await sh(where, line), pattern, `${where}: ${line}`), 200);
}

/** The machines that have one of these units, in order, once for each. */
async function homes(...names: string[]): Promise<string[]> {
  const found = (await cluster.snapshot()).instances.filter(({ name }) => names.includes(name));
  return found.map(({ machineName }) => machineName ?? "none").toSorted(compareNames);
}

async function instance(name: string): Promise<InstanceView> {
  const found = (await cluster.snapshot()).instances.filter((one) => one.name === name && !one.companion);
  assert.equal(found.length, 1, `${name} is there once`);
  return found[0] as InstanceView;
}

const machineOf = async (name: string): Promise<string | null> => (await instance(name)).machineName;

/** The page at an address, as soon as it answers. */
const page = (address: string): Promise<string> => pageAt(`http://${address}/`);

const hello = (more = ""): string => `[Container]\nImage=${image}\nStopTimeout=1\n${more}`;
const sleeper = (more = ""): string => `[Service]\nExecStart=/usr/bin/sleep infinity\n${more}`;

describe("units", { skip, timeout: 1_200_000 }, () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-kinds-"));
    await cluster.keel(["up", "--no-example"]);
    await loadHelloImage(cluster, folder);
  });
  afterEach(() => cluster.clear());
  after(async () => {
    await cluster.down();
    await rm(folder, { recursive: true, force: true });
  });

  test("a template’s replicas run the loaded image on every machine, and say who they are", async () => {
    await cluster.keel([
      "start",
      "-n",
      "3",
      ...(await files({ "web@.container": hello("Environment=ME=%i/%n/%H\nPublishPort=8080\n") })),
    ]);
    const { instances } = await cluster.snapshot();
    assert.deepEqual(await homes("web@1.container", "web@2.container", "web@3.container"), machines);
    for (const one of instances) {
      const number = one.name.slice("web@".length, -".container".length);
      const { stdout } = await cluster.keel(["exec", one.name, "--", "sh", "-c", "echo $ME"]);
      assert.equal(stdout.trim(), `${number}/web@${number}.service/${one.machineName}`);
      assert.match(await page(one.addresses[0] ?? ""), /hello/i);
    }
    await cluster.keel(["scale", "web@", "1"]);
    assert.deepEqual(
      (await cluster.snapshot()).instances.map(({ name }) => name),
      ["web@1.container"],
    );
    await cluster.keel(["start", "web@blue"]);
    const { stdout } = await cluster.keel(["exec", "web@blue", "--", "sh", "-c", "echo $ME"]);
    assert.match(stdout, /^blue\/web@blue\.service\/m[123]$/m);
  });

  test("a template of services, from the file beside the path", async () => {
    await files({ "nap@.service": `[Unit]\nDescription=%p of %i\n\n${sleeper("Environment=ME=%i\n")}` });
    await cluster.keel(["start", join(folder, "nap@7.service")]);
    const words = await sh("nap@7", "systemctl show -P Description -P Environment nap@7.service");
    assert.deepEqual(words.trim().split("\n"), ["ME=7", "nap of 7"]);
  });

  test("sockets, timers and paths start the service they stand for, where it is", async () => {
    const pairs = { relay: "socket", report: "timer", inbox: "path" } as const;
    const at = (name: string): string => join(repository, "examples/units", name);
    await cluster.keel(["load", ...Object.keys(pairs).map((stem) => at(`${stem}.service`))]);
    await cluster.keel(["start", ...Object.entries(pairs).map(([stem, type]) => at(`${stem}.${type}`))]);
    for (const [stem, type] of Object.entries(pairs))
      assert.equal(await machineOf(`${stem}.${type}`), await machineOf(`${stem}.service`));
    const relay = await machineOf("relay.socket");
    const machine = (await cluster.snapshot()).machines.find(({ name }) => name === relay);
    assert.match(await greeting(machine?.address ?? "", 7022), /^SSH-2\.0/);
    await sh("inbox.path", "touch /run/inbox/letter");
    for (const unit of ["inbox.service", "report.service"])
      await shows(unit, `journalctl -q -u ${unit} --no-pager`, /Started|Finished/);
  });

  test("a mount, a oneshot that ends, and a service that calls docker", async () => {
    await start({
      "run-scratch.mount": "[Mount]\nWhat=tmpfs\nWhere=/run/scratch\nType=tmpfs\n",
      "once.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/true\n",
      "olden.service": `[Service]\nExecStartPre=-/usr/bin/docker rm -f olden\nExecStart=/usr/bin/docker run --rm --name olden localhost/hello\nExecStop=/usr/bin/docker stop -t 1 olden\n`,
    });
    assert.match(await sh("run-scratch.mount", "findmnt -no FSTYPE /run/scratch"), /^tmpfs/);
    const once = await instance("once.service");
    assert.deepEqual([once.state, once.active, once.reason], ["succeeded", "inactive", ""]);
    await cluster.keel(["start", "once"]);
    const { stdout: journal } = await cluster.keel(["journal", "--lines", "all", "once"]);
    assert.match(journal, /Finished/);
    const { stdout: listed } = await cluster.keel(["runs", "once"]);
    assert.equal(listed.match(/succeeded/g)?.length, 2);
    await shows("olden", "docker ps --format '{{.Names}}'", /^olden$/m);
  });

  test("volumes, networks and pods follow whoever refers to them", async () => {
    await cluster.keel([
      "submit",
      ...(await files({ "data.volume": "[Volume]\nVolumeName=data\n", "app.network": "[Network]\n" })),
    ]);
    await start({
      "db.container": hello("Volume=data.volume:/data\nNetwork=app.network\nExec=sleep 1000\n"),
    });
    assert.match(await sh("db", "podman volume ls -q; podman network ls -q"), /^data$[^]*systemd-app/m);
    await start({
      "trio.pod": "[Pod]\nPublishPort=8080\n",
      "trio-a.container": hello("Pod=trio.pod\n"),
      "trio-b.container": hello("Pod=trio.pod\nExec=sleep 1000\n"),
    });
    const pod = await homes("trio.pod", "trio-a.container", "trio-b.container");
    assert.equal(new Set(pod).size, 1, "all where the pod is");
    const address = (
      await cluster.until("the pod’s port", ({ instances }) =>
        instances.some(({ name, addresses }) => name === "trio.pod" && addresses.length > 0),
      )
    ).snapshot.instances.find(({ name }) => name === "trio.pod")?.addresses[0];
    assert.match(await page(address ?? ""), /hello/i);
    const companions = (await cluster.snapshot()).instances.filter(({ companion }) => companion);
    assert.deepEqual(
      companions.map(({ name, machineName }) => [name, machineName]),
      [
        ["app.network", await machineOf("db.container")],
        ["data.volume", await machineOf("db.container")],
      ],
    );
  });

  test("volumes and networks by themselves, images, builds and kube files", async () => {
    for (const name of machines) {
      const yaml = `apiVersion: v1\nkind: Pod\nmetadata: {name: play}\nspec: {containers: [{name: hello, image: "${image}", ports: [{containerPort: 8080}]}]}\n`;
      const lines = `mkdir -p /run/made; printf 'FROM ${image}\\nENV MADE=yes\\n' >/run/made/Containerfile; cat >/run/play.yaml <<'EOF'\n${yaml}EOF`;
      await sh(name, lines);
    }
    await cluster.keel([
      "submit",
      ...(await files({
        "hello.image": `[Image]\nImage=${image}\n`,
        "made.build": "[Build]\nImageTag=localhost/made:latest\nSetWorkingDirectory=/run/made\n",
      })),
    ]);
    await start({
      "alone.volume": "[Volume]\n",
      "alone.network": "[Network]\n",
      "by-image.container": `[Container]\nImage=hello.image\nPublishPort=8080\nStopTimeout=1\n`,
      "by-build.container": `[Container]\nImage=made.build\nExec=sleep 1000\nStopTimeout=1\n`,
      "play.kube": "[Kube]\nYaml=/run/play.yaml\nPublishPort=9300:8080\nKubeDownForce=true\n",
    });
    const made = await cluster.keel(["exec", "by-build", "--", "sh", "-c", "echo $MADE"]);
    assert.equal(made.stdout.trim(), "yes");
    assert.match(await page((await instance("play.kube")).addresses[0] ?? ""), /hello/i);
    assert.match(await page((await instance("by-image.container")).addresses[0] ?? ""), /hello/i);
  });

  test("MachineID, MachineMetadata, Conflicts, MachineOf and Global hold", async () => {
    const id = (await cluster.snapshot()).machines.find(({ name }) => name === "m3")?.id ?? "";
    await start({
      "here.service": sleeper(`[X-Fleet]\nMachineID=${id}\n`),
      "zone.service": sleeper("[X-Fleet]\nMachineMetadata=zone=b\n"),
      "lone@1.service": sleeper("[X-Fleet]\nConflicts=lone@*.service\n"),
      "lone@2.service": sleeper("[X-Fleet]\nConflicts=%p@*.service\n"),
      "beside.service": sleeper("[X-Fleet]\nMachineOf=zone.service\n"),
      "all.service": sleeper("[X-Fleet]\nGlobal=true\n"),
      "some.service": sleeper('[X-Fleet]\nGlobal=true\nMachineMetadata="zone=a" "zone=c"\n'),
    });
    assert.equal(await machineOf("here.service"), "m3");
    assert.equal(await machineOf("zone.service"), "m2");
    assert.equal(await machineOf("beside.service"), "m2");
    assert.notEqual(await machineOf("lone@1.service"), await machineOf("lone@2.service"));
    assert.deepEqual(await homes("all.service"), machines);
    assert.deepEqual(await homes("some.service"), ["m1", "m3"]);
  });

  test("one host port is taken once a machine; what fits nowhere fails at once, with each reason", async () => {
    const port = hello("PublishPort=9000:8080\n");
    const contents = {
      "p1.container": port,
      "p2.container": port,
      "p3.container": port,
      "p4.container": port,
    };
    const { stdout } = await cluster.keel(["start", ...(await files(contents))], { expect: 6 });
    assert.match(stdout, /p4\.container +failed: no machine fits: .*which takes port 9000\/tcp/);
    assert.deepEqual(await homes("p1.container", "p2.container", "p3.container"), machines);
    const far = await cluster.keel(
      ["start", ...(await files({ "far.service": sleeper("[X-Fleet]\nMachineMetadata=zone=z\n") }))],
      { expect: 1 },
    );
    assert.match(far.stderr, /m1 has zone=a, not z; m2 has zone=b, not z; m3 has zone=c, not z/);
    const lost = await cluster.keel(
      ["start", ...(await files({ "lost.container": hello("Volume=gone.volume:/x\n") }))],
      { expect: 1 },
    );
    assert.match(lost.stderr, /refers to gone\.volume, which the cluster does not have/);
  });

  test("memory that is not there keeps a unit out, and a more important one gets it; limits nobody holds are named", async () => {
    const asks = (...lines: string[]): string =>
      sleeper(`MemoryMax=64M\n[X-Keelson]\nMemoryRequest=60%\n${lines.join("\n")}\n`);
    await cluster.keel(["start", "-n", "3", ...(await files({ "fill@.service": asks("SpreadOver=zone") }))]);
    assert.deepEqual(await homes("fill@1.service", "fill@2.service", "fill@3.service"), machines);
    const late = await cluster.keel(["start", ...(await files({ "late.service": asks() }))], { expect: 1 });
    assert.match(late.stderr, /no machine fits: m\d has [\d.]+ .iB of [\d.]+ .iB free, it needs/);
    await start({ "urgent.service": asks("Priority=10", "Preempt=yes") });
    const { instances, machines: all } = await cluster.snapshot();
    const { machineName: home, unenforced } = await instance("urgent.service");
    const stayed = instances.filter(({ unit, machine }) => unit === "fill@.service" && machine !== null);
    assert.equal(stayed.length, 2, "one of three gave way");
    assert.ok(stayed.every(({ machineName }) => machineName !== home));
    const holds = all[0]?.capacity?.unenforced.includes("memory") === false;
    assert.deepEqual(unenforced, holds ? undefined : ["memory"]);
    const limit = "cat /sys/fs/cgroup/system.slice/urgent.service/memory.max 2>&1 || true";
    await shows(home ?? "", limit, holds ? /^67108864$/m : /No such file/);
  });

  test("what fails is shown as failed, with its reason, at once", async () => {
    const cases: Readonly<Record<string, readonly [string, RegExp]>> = {
      // Of a simple one systemd says that it runs before it knows whether its program is there.
      "absent.service": [
        "[Service]\nType=exec\nExecStart=/usr/bin/does-not-exist\n",
        /exit status 203: .*No such file/,
      ],
      "ends.service": [
        "[Service]\nExecStart=/bin/sh -c 'echo going down; exit 3'\n",
        /exit status 3: going down/,
      ],
      "nothing.container": ["[Container]\nPublishPort=80\n", /no Image or Rootfs key/],
      "typo.container": [hello("Imag=x\n"), /unsupported key 'Imag'/],
      "built.container": [
        "[Container]\nImage=orphan.build\n",
        /needs orphan\.build, which failed: exit status \d+: .*no-such/,
      ],
      "setting.service": ["[Service]\nType=oneshot\n", /has no ExecStart=/],
    };
    const orphan = "[Build]\nImageTag=localhost/orphan:latest\nSetWorkingDirectory=/run/no-such\n";
    await cluster.keel(["submit", ...(await files({ "orphan.build": orphan }))]);
    for (const [name, [text, reason]] of Object.entries(cases)) {
      // Waiting to the end of the time would be another exit code.
      const { stderr } = await cluster.keel(["start", ...(await files({ [name]: text }))], { expect: 1 });
      // The last words of what ran come from the journal, which a busy machine writes late.
      const [status] = /^exit status \d+/.exec(reason.source) ?? [];
      assert.match(stderr, status === undefined ? reason : new RegExp(status), name);
      assert.equal((await instance(name)).state, "failed", name);
      await cluster.until(`${name} says why`, ({ instances }) =>
        instances.some((one) => one.name === name && one.state === "failed" && reason.test(one.reason)),
      );
    }
    // It runs before it exits: whoever looks in that moment is told so.
    await cluster.start({ "exits.container": hello("Exec=sh -c 'exit 4'\n") });
    const { snapshot } = await cluster.until("the container that exits is failed", ({ instances }) =>
      instances.some(({ name, state }) => name === "exits.container" && state === "failed"),
    );
    const exited = snapshot.instances.find(({ name }) => name === "exits.container");
    assert.match(exited?.reason ?? "", /exit status 4/);
  });

  test("a start can be told step by step, by whom it was asked for, and what a loss would do", async () => {
    await start({
      "timely.container": hello(),
      "broken.service": "[Service]\nExecStart=/usr/bin/does-not-exist\n",
    }).catch(() => undefined);
    const timeline = JSON.parse((await cluster.keel(["timeline", "timely", "-o", "json"])).stdout)
      .instances[0];
    const kinds = timeline.steps.map(({ kind }: { readonly kind: string }) => kind);
    const order = ["operation", "placed", "received", "image", "written", "started", "active", "healthy"];
    assert.deepEqual(
      kinds.filter((kind: string) => kind !== "image"),
      order.filter((kind) => kind !== "image"),
    );
    const times = timeline.steps.map(({ at }: { readonly at: number }) => at);
    assert.deepEqual(
      times,
      times.toSorted((a: number, b: number) => a - b),
    );
    assert.equal(timeline.isDone, true);
    assert.equal(timeline.totalMs, times.at(-1) - times[0]);
    const told = (await cluster.keel(["events", "timely", "-o", "ndjson"])).stdout.trim().split("\n");
    const events = told.map((line) => JSON.parse(line));
    assert.deepEqual(
      events.filter(({ kind }) => kinds.includes(kind)).map(({ kind }) => kind),
      kinds,
    );
    const healthy = events.find(({ kind }) => kind === "healthy");
    assert.deepEqual([healthy.operation, healthy.afterMs], [timeline.operation.id, timeline.totalMs]);
    const { stdout: why } = await cluster.keel(["why", "broken"]);
    assert.match(why, /exit status 203: .+ \(the program is not there or cannot be run\)/);
    const home = (await machineOf("timely.container")) ?? "";
    const outcome = JSON.parse((await cluster.keel(["what-if", "lose", home, "-o", "json"])).stdout);
    assert.ok(outcome.fits);
    assert.ok(
      outcome.moves.some(({ instance }: { readonly instance: string }) => instance === "timely.container"),
    );
    const { survivability } = JSON.parse(
      (await cluster.keel(["status", "-o", "json"], { expect: 1 })).stdout,
    );
    assert.ok(survivability.answer === "yes" || !survivability.isCurrent, survivability.words);
  });

  test("a file that podman cannot read hides no other of its machine", async () => {
    const mark = "\uFEFF";
    const bom = await cluster.keel(["start", ...(await files({ "bom.container": `${mark}${hello()}` }))], {
      expect: 1,
    });
    assert.match(bom.stderr, /podman cannot read bom\.container: file contains line 1/);
    await start({ "next.container": hello("[X-Fleet]\nMachineOf=bom.container\n") });
    assert.equal(await machineOf("next.container"), await machineOf("bom.container"));
  });

  test("loaded, started, stopped, unloaded; [Install] is carried out and taken back", async () => {
    const install = sleeper("[Install]\nWantedBy=multi-user.target\n[X-Fleet]\nMachineID=m1\n");
    const state = async (): Promise<string | undefined> =>
      (await cluster.snapshot()).instances.find(({ name }) => name === "life.service")?.state;
    const enabled = (): Promise<string> => sh("m1", "systemctl is-enabled life.service; true");
    await cluster.keel(["submit", ...(await files({ "life.service": install }))]);
    assert.equal(await state(), undefined);
    await cluster.keel(["load", "life"]);
    assert.equal(await state(), "loaded");
    assert.match(await enabled(), /^enabled/);
    await cluster.keel(["start", "life"]);
    assert.equal(await state(), "healthy");
    await cluster.keel(["stop", "life"]);
    assert.equal(await state(), "loaded");
    await cluster.keel(["unload", "life"]);
    assert.equal(await state(), undefined);
    assert.match(await enabled(), /^not-found/);
  });

  test("other content replaces, restarts, and comes back byte for byte", async () => {
    const first = `# first ü\r\n${sleeper("Environment=V=1 \\\n  W=1\n")}\n\n`;
    const second = first.replace("V=1", "V=2");
    const [path = ""] = await files({ "swap.service": first });
    await cluster.keel(["start", path]);
    const { invocation } = await instance("swap.service");
    await writeFile(path, second);
    assert.match(
      (await cluster.keel(["start", path], { expect: 8 })).stderr,
      /other content for swap\.service/,
    );
    await cluster.keel(["start", "--replace", path]);
    const replaced = await instance("swap.service");
    assert.notEqual(replaced.invocation, invocation);
    assert.match(await sh("swap", "systemctl show -P Environment swap.service"), /V=2/);
    assert.equal((await cluster.keel(["cat", "swap"])).stdout, second);
    await cluster.keel(["undo"]);
    assert.match(await sh("swap", "systemctl show -P Environment swap.service"), /V=1/);
    assert.equal((await cluster.keel(["cat", "swap"])).stdout, first);
    assert.equal(await sh("swap", "cat /run/systemd/system/swap.service"), first);
  });

  test("unknown keys and malformed values of our sections are refused, with their place", async () => {
    const cases: readonly (readonly [string, string, RegExp])[] = [
      [
        "a.service",
        "[X-Fleet]\nMachinMetadata=a=b",
        /^error: a\.service:4:1: .*did you mean MachineMetadata\?/,
      ],
      ["a.service", "[X-Fleet]\nGlobal=maybe", /^error: a\.service:4:8: Global=maybe is neither yes nor no/],
      ["a.service", "[X-Fleet]\nMachineMetadata=zone", /^error: a\.service:4:17: /],
      [
        "a.service",
        "[X-Fleet]\nMachineID=abc\nGlobal=yes",
        /^error: a\.service:5:1: MachineID= and Global= exclude/,
      ],
      ["a.service", "[X-Flet]\nGlobal=yes", /^error: a\.service:3:1: .*did you mean \[X-Fleet\]\?/],
      ["a@.service", "[X-Keelson]\nReplica=3", /^error: a@\.service:4:1: .*did you mean Replicas\?/],
      ["a@.service", "[X-Keelson]\nReplicas=many", /^error: a@\.service:4:10: /],
      ["a.service", "[X-Keelson]\nOnPartition=kep", /^error: a\.service:4:13: .*did you mean keep\?/],
      ["a.service", "no assignment", /^error: a\.service:3:1: /],
    ];
    const refusals = await Promise.all(
      cases.map(async ([name, text], number) => {
        const path = join(await mkdtemp(join(folder, `${number}-`)), name);
        await writeFile(path, `[Service]\nExecStart=/bin/true\n${text}\n`);
        return (await cluster.keel(["start", path], { expect: 2 })).stderr;
      }),
    );
    for (const [number, [, text, message]] of cases.entries())
      assert.match(refusals[number] ?? "", message, text);
    assert.equal((await cluster.snapshot()).units.length, 0, "nothing was handed in");
  });

  test("nothing is left on the machines", async () => {
    await cluster.until("no instance", ({ instances }) => instances.length === 0);
    for (const name of machines) {
      const left = await sh(
        name,
        "ls /run/systemd/system /run/containers/systemd; podman ps -aq; systemctl list-units --failed --plain --no-legend",
      );
      assert.deepEqual(
        left.split("\n").filter((line) => line !== "" && !line.startsWith("/")),
        [],
        name,
      );
    }
  });
});
