import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { distribution } from "../../src/local/host-facts.ts";
import { judgeHost } from "../../src/local/preflight.ts";
import type { HostFacts, Wanted } from "../../src/local/preflight.ts";

const good: HostFacts = {
  platform: "linux",
  architecture: "x64",
  uid: 0,
  kernel: "6.1.0-28-amd64",
  cgroup2: true,
  controllers: ["cpu", "memory", "pids"],
  memoryAvailable: 8e9,
  diskFree: 50e9,
  inotifyInstances: 128,
  sysctlWritable: true,
  overlayfs: true,
  missingCommands: [],
  distribution: "debian",
  keyring: true,
};
const wanted: Wanted = { machines: 3, memoryPerMachine: 64 * 2 ** 20, buildsTree: true };
const verdict = (facts: Partial<HostFacts>, more: Partial<Wanted> = {}) =>
  judgeHost({ ...good, ...facts }, { ...wanted, ...more });

describe("preflight", () => {
  test("passes a plain Debian 12", () => {
    assert.deepEqual(verdict({}), { problems: [], packages: [], notes: [] });
  });

  const faults: readonly (readonly [string, Partial<HostFacts>, RegExp])[] = [
    ["no root", { uid: 1000 }, /root/],
    ["another architecture", { architecture: "riscv64" }, /riscv64/],
    ["an old kernel", { kernel: "5.10.0-30-amd64" }, /5\.10/],
    ["a kernel older by its first number", { kernel: "4.19.0" }, /4\.19/],
    ["no cgroup2", { cgroup2: false }, /cgroup2/],
    ["no overlayfs", { overlayfs: false }, /overlay/],
    ["too little memory", { memoryAvailable: 1e9 }, /1\.0 GB of memory .* 3 machines need 1\.3 GB/],
    ["too little disk", { diskFree: 1e9 }, /1\.0 GB of disk/],
  ];
  for (const [what, facts, words] of faults) {
    test(`names ${what}, with its remedy`, () => {
      const { problems } = verdict(facts);
      assert.equal(problems.length, 1);
      assert.match(problems[0]?.what ?? "", words);
      assert.ok((problems[0]?.remedy.length ?? 0) > 10);
    });
  }

  test("asks more of a host for virtual machines", () => {
    const virtual = { provider: "qemu", memoryPerMachine: 2 ** 30 } as const;
    assert.deepEqual(verdict({}, virtual).problems, []);
    const lacking: Partial<HostFacts> = { architecture: "arm64", diskFree: 4e9, memoryAvailable: 2e9 };
    assert.deepEqual(verdict(lacking).problems, []);
    const words = verdict(lacking, virtual).problems.map(({ what }) => what);
    assert.equal(words.length, 3);
    assert.match(words.join("\n"), /memory[^]*disk[^]*arm64/);
  });

  test("names everything at once", () => {
    assert.equal(verdict({ uid: 1, diskFree: 0, memoryAvailable: 0 }).problems.length, 3);
  });

  test("says nothing but Linux where there is none", () => {
    const { problems } = verdict({ platform: "darwin", uid: 501, cgroup2: false });
    assert.equal(problems.length, 1);
    assert.match(problems[0]?.what ?? "", /darwin/);
  });

  test("lists missing packages, those for building only when something is built", () => {
    const facts = { missingCommands: ["nft", "systemd-nspawn", "mmdebstrap", "strip"], keyring: false };
    const all = ["binutils", "debian-archive-keyring", "mmdebstrap", "nftables", "systemd-container"];
    assert.deepEqual(verdict(facts).packages, all);
    assert.deepEqual(verdict(facts, { buildsTree: false }).packages, ["nftables", "systemd-container"]);
  });

  test("minds the inotify limit only where it cannot be raised and would be reached", () => {
    assert.equal(verdict({}, { machines: 50 }).problems.length, 0);
    assert.equal(verdict({ sysctlWritable: false }).problems.length, 0);
    assert.match(verdict({ sysctlWritable: false }, { machines: 50 }).problems[0]?.what ?? "", /need 428/);
    assert.equal(
      verdict({ sysctlWritable: false, inotifyInstances: 8192 }, { machines: 50 }).problems.length,
      0,
    );
  });

  test("reports controllers that are missing and goes on", () => {
    const { problems, notes } = verdict({ controllers: ["pids"] });
    assert.deepEqual(problems, []);
    assert.match(notes[0] ?? "", /memory, cpu are not enforced/);
  });
});

test("the distribution is read with what it is like", () => {
  assert.equal(distribution('PRETTY_NAME="Ubuntu 24.04"\nID=ubuntu\nID_LIKE=debian\n'), "ubuntu debian");
  assert.equal(distribution('ID="fedora"\n'), "fedora");
  assert.equal(distribution(""), "");
});
