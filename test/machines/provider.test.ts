// Every verb of the machine provider on real machines, and that nothing is left of them.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { findHierarchies, groupProcesses } from "../../packages/keelson/src/local/cgroup.ts";
import { LocalCluster } from "../../packages/keelson/src/local/cluster.ts";
import { runCommand, tryCommand } from "../../packages/keelson/src/local/command.ts";
import {
  machineTree,
  newCluster,
  noTraces,
  repository,
  tracesOf,
  whyNoMachines,
  withMachines,
} from "../support/machines.ts";
import { page } from "../support/served.ts";
import { ping, pingPatiently } from "../support/ping.ts";
import { providerSuite } from "../support/provider-suite.ts";

describe("a container", () => {
  providerSuite({
    etc: "/etc",
    withTwo: (t, name, task) => withMachines(t, { count: 2, cluster: name }, task),
  });

  test("no secret stands in an argument list, and each machine sees only itself", (t) =>
    withMachines(
      t,
      { count: 2, cluster: "secret", credentials: () => ({ "test.secret": "hidden-value" }) },
      async ({ cluster, sh }) => {
        const { processes } = await tracesOf(cluster);
        assert.ok(processes.length > 4);
        assert.ok(!processes.some((line) => line.includes("hidden-value")));
        const inside = await sh(
          "m1",
          "systemd-creds --system cat test.secret; echo; ls /proc | grep -c '^[0-9]'",
        );
        assert.match(inside, /hidden-value/);
        assert.ok(Number(inside.trim().split("\n").at(-1)) < 40);
      },
    ));

  test("outlives its keeper, and is still crashed by name", (t) =>
    withMachines(t, { count: 1, cluster: "orphan" }, async ({ cluster, machines, sh }) => {
      const nspawn = (await tracesOf(cluster)).processes.find((line) => line.includes("systemd-nspawn"));
      process.kill(Number(nspawn?.split(" ")[0]), "SIGKILL");
      await sleep(300);
      assert.equal((await sh("m1", "echo alive")).trim(), "alive");
      await machines.crash("m1");
      assert.deepEqual((await tracesOf(cluster)).processes, []);
      await machines.start("m1");
      await machines.ready("m1");
    }));
});

describe("containers in a machine", () => {
  test("run by podman, by Quadlet and by docker, with published ports, and outlast a crash", (t) =>
    withMachines(t, { count: 1, cluster: "podman" }, async ({ machines, sh }) => {
      await sh(
        "m1",
        `mkdir -p /tmp/image/bin && cp /usr/bin/busybox /tmp/image/bin && cd /tmp/image/bin &&
         for name in sh httpd sleep; do ln -s busybox $name; done &&
         tar -C /tmp/image -c . | podman import --quiet - localhost/hello`,
      );
      assert.equal(await sh("m1", "podman run --rm hello sh -c 'echo out'"), "out\n");
      const docker = await sh("m1", "docker run --rm --network host hello sh -c 'echo docker' 2>&1");
      assert.equal(docker, "docker\n");

      const server = "sh -c 'echo $0 >/index.html; exec httpd -f -p 80 -h /'";
      await sh(
        "m1",
        `cat >/run/containers/systemd/quadlet.container <<'X'
[Container]
Image=localhost/hello
Exec=${server} quadlet
PublishPort=8081:80
StopTimeout=1
X
cat >/run/systemd/system/docker-web.service <<'X'
[Service]
ExecStart=/usr/bin/docker run --rm --name web -p 8082:80 hello ${server} docker
ExecStop=/usr/bin/docker stop -t 1 web
X
systemctl daemon-reload && systemctl start quadlet.service docker-web.service`,
      );
      const { address } = (await machines.list())[0] ?? { address: "" };
      assert.equal(await page(`http://${address}:8081/`), "quadlet\n");
      assert.equal(await page(`http://${address}:8082/`), "docker\n");
      assert.match(await sh("m1", "systemctl show --property=MainPID quadlet.service"), /MainPID=\d+/);

      await machines.crash("m1");
      await machines.start("m1");
      await machines.ready("m1");
      assert.equal(await sh("m1", "podman run --rm localhost/hello sh -c 'echo again'"), "again\n");
      await sh("m1", "podman network create shop && podman run -d --name db --network shop hello sleep 100");
      assert.match(
        await sh("m1", "podman run --rm --network shop hello busybox nslookup db 2>&1"),
        /Name:\s+db/,
      );
    }));
});

describe("a cluster", () => {
  test("lives beside another without touching it", (t) =>
    withMachines(t, { count: 1, cluster: "left" }, async (left) =>
      withMachines(t, { count: 1, cluster: "right" }, async (right) => {
        const [one] = await left.machines.list();
        const [other] = await right.machines.list();
        assert.notEqual(one?.address, other?.address);
        await right.machines.cut("m1");
        assert.equal((await left.sh("m1", pingPatiently("host"))).trim(), "yes");
        assert.equal((await right.sh("m1", ping("host"))).trim(), "no");
        assert.ok((await LocalCluster.list()).includes(left.cluster.name));
        await right.cluster.destroy();
        assert.deepEqual(await tracesOf(right.cluster), noTraces);
        assert.equal((await left.sh("m1", pingPatiently("host"))).trim(), "yes");
        assert.equal((await left.machines.list())[0]?.state, "running");
      }),
    ));

  test("runs processes on the host that outlive their starter and end with it", async (t) => {
    const reason = whyNoMachines();
    if (reason !== false) return t.skip(reason);
    const cluster = newCluster("host");
    await cluster.create((await machineTree()).layers);
    const address = await cluster.hostAddress();
    const script = `require('net').createServer(c=>c.end('hi')).listen(7000,'${address}',()=>console.log('up'))`;
    const command = { name: "server", argv: [process.execPath, "-e", script], env: { MARK: "here" } };
    const { logFile } = await cluster.startHostProcess(command);
    await cluster.startHostProcess(command);
    while (!readFileSync(logFile, "utf8").includes("up")) await sleep(20);
    const socket = createConnection(7000, address);
    const [bytes] = (await once(socket, "data")) as [Buffer];
    assert.equal(bytes.toString(), "hi");
    assert.equal((await cluster.hostProcess("server")).length, 1);
    await cluster.stopHostProcess("server");
    assert.deepEqual(await cluster.hostProcess("server"), []);
    await cluster.startHostProcess(command);
    await cluster.destroy();
    assert.deepEqual(await tracesOf(cluster), noTraces);
  });

  test("vanishes without a trace, host settings included", async (t) => {
    const settings = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/fs/inotify/max_user_instances"];
    const read = (): string[] => settings.map((path) => readFileSync(path, "utf8").trim());
    const reason = whyNoMachines();
    if (reason !== false) return t.skip(reason);
    const alone = (await LocalCluster.list()).length === 0;
    const before = read();
    let seen: LocalCluster | undefined;
    await withMachines(t, { count: 2, cluster: "trace" }, async ({ cluster, machines }) => {
      seen = cluster;
      const traces = await tracesOf(cluster);
      for (const kind of ["processes", "interfaces", "tables", "files"] as const)
        assert.ok(traces[kind].length > 0, kind);
      assert.deepEqual(traces.mounts, [], "a machine's mounts are its own");
      await machines.destroy("m2");
      await machines.destroy("m2");
      assert.deepEqual(
        (await machines.list()).map(({ name }) => name),
        ["m1"],
      );
      assert.equal((await machines.create({ name: "m2" })).address.split(".").at(-1), "12");
    });
    assert.ok(seen);
    assert.deepEqual(await tracesOf(seen), noTraces);
    if (alone && (await LocalCluster.list()).length === 0) assert.deepEqual(read(), before);
  });

  test("passes a host firewall that drops what it forwards, and leaves it as it was", async (t) => {
    const reason = whyNoMachines();
    if (reason !== false) return t.skip(reason);
    const module = join(repository, "packages/keelson/src/local/network.ts");
    const trial = `const { ClusterNetwork } = await import(${JSON.stringify(module)});
      const network = new ClusterNetwork("firewalled");
      const chain = "nft list chain ip filter FORWARD".split(" ");
      const { execFileSync } = await import("node:child_process");
      const show = () => execFileSync(chain[0], chain.slice(1), { encoding: "utf8" });
      execFileSync("nft", ["-f", "-"], { input: "table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; ct state established accept; }; }" });
      const before = show();
      await network.create("10.205.1.0/24");
      await network.create("10.205.1.0/24");
      const during = show();
      await network.destroy();
      console.log(JSON.stringify([before, during, show()]));`;
    const ownNet = [
      "unshare",
      "--net",
      "--mount",
      "sh",
      "-c",
      'mount -t sysfs sysfs /sys && exec "$@"',
      "sh",
    ];
    const argv = [...ownNet, process.execPath, "--input-type=module", "--eval", trial];
    const [before, during, after] = JSON.parse(await runCommand(argv)) as string[];
    assert.equal(during?.match(/accept comment "keelson firewalled"/g)?.length, 2);
    assert.equal(after, before);
  });

  for (const moment of ["locked", "created", "machines", "first", "paused", "ready"]) {
    test(`is removed after its maker was killed when it was at: ${moment}`, async (t) => {
      const reason = whyNoMachines();
      if (reason !== false) return t.skip(reason);
      const cluster = newCluster(`kill-${moment}`);
      const { layers } = await machineTree();
      const maker = spawn(
        process.execPath,
        [join(repository, "test/support/half-done-cluster.ts"), cluster.name, ...layers],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      let said = "";
      for await (const chunk of maker.stdout) {
        said += String(chunk);
        if (said.includes(`${moment}\n`)) break;
      }
      maker.kill("SIGKILL");
      await once(maker, "exit");
      if (moment === "ready") {
        const machines = await cluster.machines();
        await machines.collectGarbage();
        assert.deepEqual(
          (await machines.list()).map(({ state }) => state),
          ["paused", "running"],
        );
        await machines.resume("m1");
        await machines.heal("m2");
        await machines.ready("m1");
      }
      await cluster.exclusively(() => cluster.destroy());
      assert.deepEqual(await tracesOf(cluster), noTraces);
      await cluster.destroy();
    });
  }

  test("collects what is left of machines, and leaves the others alone", (t) =>
    withMachines(t, { count: 2, cluster: "garbage" }, async ({ cluster, machines, sh }) => {
      const record = join(cluster.folder, "machines/m2/machine.json");
      await runCommand(["rm", record]);
      await machines.collectGarbage();
      assert.deepEqual(
        (await machines.list()).map(({ name }) => name),
        ["m1"],
      );
      assert.ok(!existsSync(join(cluster.folder, "machines/m2")));
      assert.equal((await sh("m1", "echo alive")).trim(), "alive");
      const { unified = "" } = findHierarchies();
      if (!existsSync("/run/systemd/system")) {
        assert.deepEqual(await groupProcesses(join(unified, "keelson", cluster.name, "machine.m2")), []);
      }
      assert.equal((await tryCommand(["ip", "link", "show", "type", "veth"])).code, 0);
    }));
});
