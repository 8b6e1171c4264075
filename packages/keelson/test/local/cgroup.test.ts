import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseHierarchies } from "../../src/local/cgroup.ts";
import { mountsBelow } from "../../src/local/remove-folder.ts";

describe("control group hierarchies", () => {
  test("are found on a host with cgroup2 only", () => {
    const mounts = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    assert.deepEqual(parseHierarchies(mounts), { unified: "/sys/fs/cgroup", legacy: [] });
  });

  test("are found on a host that has both versions", () => {
    const mounts = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
40 31 0:37 / /elsewhere/systemd rw master:3 - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`;
    assert.deepEqual(parseHierarchies(mounts), {
      unified: "/sys/fs/cgroup/unified",
      legacy: ["/sys/fs/cgroup/cpu,cpuacct", "/elsewhere/systemd"],
    });
  });

  test("may be missing", () => {
    assert.deepEqual(parseHierarchies("22 27 0:21 / /proc rw - proc proc rw\n"), {
      unified: undefined,
      legacy: [],
    });
  });
});

test("mounts below a folder are found deepest first, and no neighbour’s", () => {
  const mounts = `1 0 0:1 / / rw - ext4 x rw
2 1 0:2 / /state/m1/mounts/root rw - overlay x rw
3 1 0:3 / /state/m1/mounts/root/var rw - overlay x rw
4 1 0:4 / /state/m10 rw - tmpfs x rw
5 1 0:5 / /state/m1/with\\040space rw - tmpfs x rw
`;
  assert.deepEqual(mountsBelow(mounts, "/state/m1"), [
    "/state/m1/mounts/root/var",
    "/state/m1/mounts/root",
    "/state/m1/with space",
  ]);
});
