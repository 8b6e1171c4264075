import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { allocatableOf, withinLimits } from "../../src/host/allocatable.ts";
import { cpuLimit, memoryLimit, parseOsRelease, unenforcedLimits } from "../../src/host/facts.ts";
import { failureReason, jobProblem } from "../../src/host/failure-reason.ts";
import { readContainers } from "../../src/host/podman.ts";
import { readLoadProblem, readProblem } from "../../src/host/quadlet-problem.ts";
import { SharedReload } from "../../src/host/shared-reload.ts";

test("os-release is read as a shell reads it", () => {
  const text = `PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID='13'\n# note\nBAD LINE\n`;
  assert.deepEqual(parseOsRelease(text), {
    PRETTY_NAME: "Debian GNU/Linux 13 (trixie)",
    ID: "debian",
    VERSION_ID: "13",
  });
});

test("limits without a controller are not enforced", () => {
  assert.deepEqual(unenforcedLimits("cpuset cpu io memory pids\n"), []);
  assert.deepEqual(unenforcedLimits("\n"), ["memory", "cpu", "pids"]);
});

test("a container has what its control group lets it have", () => {
  assert.deepEqual(["536870912\n", "max\n", "", "garbage"].map(memoryLimit), [
    2 ** 29,
    Infinity,
    Infinity,
    Infinity,
  ]);
  assert.deepEqual(["150000 100000\n", "max 100000\n", "", "5 0", "x y"].map(cpuLimit), [
    1.5,
    Infinity,
    Infinity,
    Infinity,
    Infinity,
  ]);
});

test("what the system needs is kept from units, as much as was said or a usual amount", () => {
  const GiB = 2 ** 30;
  const machine = (memoryBytes: number) => ({ cpus: 4, memoryBytes, unenforced: [] });
  assert.deepEqual(allocatableOf(machine(GiB / 4), {}), { cpus: 4, memoryBytes: GiB / 8 });
  assert.deepEqual(allocatableOf(machine(50 * GiB), {}), { cpus: 4, memoryBytes: 48.75 * GiB });
  const reserve = { memoryBytes: 2 * GiB, cpus: 0.5 };
  assert.deepEqual(allocatableOf(machine(GiB), { reserve }), { cpus: 3.5, memoryBytes: 0 });
  const capacity = { memoryBytes: GiB };
  assert.deepEqual(withinLimits(machine(4 * GiB), { capacity }), machine(GiB));
  assert.deepEqual(withinLimits(machine(GiB), { capacity: { memoryBytes: 4 * GiB, cpus: 9 } }), machine(GiB));
});

test("why a unit failed, in words", () => {
  const failed = { load: "loaded", active: "failed", sub: "failed", loadError: undefined, execMainStatus: 3 };
  assert.equal(failureReason({ ...failed, result: "exit-code", execMainCode: "exited" }), "exit status 3");
  const killed = { ...failed, execMainStatus: 9, execMainCode: "killed" as const };
  assert.equal(failureReason({ ...killed, result: "signal" }), "killed by SIGKILL");
  assert.equal(failureReason({ ...killed, result: "oom-kill" }), "out of memory");
  assert.equal(failureReason({ ...killed, active: "active", result: "success" }), "");
  assert.equal(
    failureReason({ ...killed, load: "masked", result: undefined }),
    "the unit is masked on this machine",
  );
  const again = { ...failed, active: "activating", sub: "auto-restart", result: "exit-code" };
  assert.match(failureReason({ ...again, execMainCode: "exited" }), /^restarting after .* exit status 3$/);
  assert.equal(jobProblem("done"), undefined);
  assert.match(jobProblem("dependency") ?? "", /needs/);
});

test("podman's list: containers by their unit, with health and ports", () => {
  const json = JSON.stringify([
    {
      Labels: { PODMAN_SYSTEMD_UNIT: "web@1.service" },
      Status: "Up 3 seconds (healthy)",
      Ports: [
        { host_ip: "", container_port: 80, host_port: 37477, range: 1, protocol: "tcp" },
        { host_ip: "127.0.0.1", container_port: 90, host_port: 9000, range: 2, protocol: "udp" },
      ],
    },
    { Labels: { PODMAN_SYSTEMD_UNIT: "plain.service" }, Status: "Up 2 hours", Ports: null },
    { Labels: null, Status: "Up", Ports: [] },
  ]);
  const found = readContainers(json);
  assert.deepEqual(found.get("web@1.service"), {
    health: "healthy",
    published: [
      { address: "", port: 37477, protocol: "tcp" },
      { address: "127.0.0.1", port: 9000, protocol: "udp" },
      { address: "127.0.0.1", port: 9001, protocol: "udp" },
    ],
  });
  assert.deepEqual(found.get("plain.service"), { health: "", published: [] });
  assert.equal(found.size, 2);
  assert.equal(readContainers("").size, 0);
});

test("the generator's words about one file", () => {
  const stderr = `quadlet-generator[1]: Loading source unit file /run/containers/systemd/net.container
quadlet-generator[1]: Warning: net.container specifies the image "a" which not a fully qualified image name.
quadlet-generator[1]: converting "broken.container": no Image or Rootfs key specified
converting "net.container": requested Quadlet unit x.network was not found
`;
  assert.equal(readProblem(stderr, "broken.container"), "no Image or Rootfs key specified");
  assert.equal(readProblem(stderr, "net.container"), "requested Quadlet unit x.network was not found");
  assert.equal(readProblem(stderr, "other.container"), undefined);
});

test("the generator's words about a file that it cannot read", () => {
  const stderr = `quadlet-generator[1]: No files parsed from [/run/q]
quadlet-generator[1]: error loading "/run/q/a.container", file contains line 1: “x” which is no group
`;
  assert.equal(readLoadProblem(stderr, "/run/q/a.container"), "file contains line 1: “x” which is no group");
  assert.equal(readLoadProblem(stderr, "/run/q/b.container"), undefined);
});

test("reloads that are asked for together become one, and one that runs does not count", async () => {
  const clock = new SimulatedClock();
  let reloads = 0;
  const shared = new SharedReload(async () => {
    reloads += 1;
    await clock.sleep(100);
  }, clock);
  const first = [shared.request(), shared.request()];
  await clock.advance(60);
  const late = shared.request();
  await clock.advance(400);
  await Promise.all([...first, late]);
  assert.equal(reloads, 2);
});
