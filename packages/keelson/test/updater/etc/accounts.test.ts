import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { joinAccounts } from "../../../src/updater/etc/accounts.ts";
import type { Accounts } from "../../../src/updater/etc/accounts.ts";

const image: Accounts = {
  passwd:
    "root:x:0:0:root:/root:/bin/sh\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\netcd:x:102:102::/:/bin/false\n",
  group: "root:x:0:\nshadow:x:42:\netcd:x:102:\nsystemd-journal:x:103:etcd\n",
  shadow: "root:*:1::::::\nsshd:!:1::::::\netcd:!:1::::::\n",
  gshadow: "root:*::\netcd:!::\n",
};

const machine: Accounts = {
  passwd:
    "root:x:0:0:root:/root:/bin/bash\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\ncore:x:1000:1000::/home/core:/bin/bash\n",
  group: "root:x:0:\nshadow:x:42:\ncore:x:1000:\nsystemd-journal:x:103:core\n",
  shadow: "root:$6$secret:1::::::\nsshd:!:1::::::\ncore:!:1::::::\n",
  gshadow: "root:*::\ncore:!::\n",
};

const names = (text: string): (string | undefined)[] =>
  text
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split(":")[0]);
const numbers = (text: string): (string | undefined)[] =>
  text
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split(":")[2]);

describe("joining accounts", () => {
  test("a new version's system account comes, and a person's stays as it is", () => {
    const joined = joinAccounts(machine, image);
    assert.deepEqual(names(joined.passwd), ["root", "sshd", "core", "etcd"]);
    assert.match(joined.passwd, /^root:x:0:0:root:\/root:\/bin\/bash$/m);
    assert.match(joined.passwd, /^etcd:x:102:102:/m);
    assert.match(joined.group, /^systemd-journal:x:103:core,etcd$/m);
    assert.match(joined.shadow, /^root:\$6\$secret:/m);
    assert.match(joined.shadow, /^etcd:!:/m);
    assert.deepEqual(names(joined.gshadow), ["root", "core", "etcd"]);
  });

  test("a number that a person's account has taken is not given again, and the group follows", () => {
    const taken = {
      ...machine,
      passwd: `${machine.passwd}me:x:102:1000::/home/me:/bin/sh\n`,
      group: `${machine.group}mine:x:102:me\n`,
    };
    const joined = joinAccounts(taken, image);
    const [, , uid, gid] = /^etcd:.*$/m.exec(joined.passwd)?.[0].split(":") ?? [];
    assert.equal(uid, "999");
    assert.equal(gid, /^etcd:x:(\d+):/m.exec(joined.group)?.[1]);
    assert.equal(gid, "999");
  });

  const name = fc.constantFrom("root", "sshd", "etcd", "core", "web", "db", "mail");
  const id = fc.integer({ min: 0, max: 120 }).map(String);
  const unique = <T>(lines: fc.Arbitrary<T>, ...by: ((line: T) => unknown)[]): fc.Arbitrary<T[]> =>
    fc.uniqueArray(lines, { maxLength: 7, selector: (line) => by[0]?.(line) }).map((all) => {
      const seen = new Set<unknown>();
      return all.filter((line) => {
        const key = by[1]?.(line);
        if (seen.has(key)) return false;
        seen.add(key);
        return true;
      });
    });
  const someAccounts: fc.Arbitrary<Accounts> = fc
    .record({
      passwd: unique(
        fc.tuple(name, id, id),
        ([n]) => n,
        ([, i]) => i,
      ),
      group: unique(
        fc.tuple(name, id, fc.subarray(["core", "web"])),
        ([n]) => n,
        ([, i]) => i,
      ),
      shadow: fc.uniqueArray(name),
    })
    .map(({ passwd, group, shadow }) => ({
      passwd: passwd.map(([n, i, g]) => `${n}:x:${i}:${g}::/:/bin/sh\n`).join(""),
      group: group.map(([n, i, members]) => `${n}:x:${i}:${members.join(",")}\n`).join(""),
      shadow: shadow.map((n) => `${n}:!:1::::::\n`).join(""),
      gshadow: shadow.map((n) => `${n}:!::\n`).join(""),
    }));

  test("nothing of the machine's is lost, everything of the image's is there, no number twice, and once is enough", () => {
    fc.assert(
      fc.property(someAccounts, someAccounts, (mine, theirs) => {
        const joined = joinAccounts(mine, theirs);
        assert.ok(joined.passwd.startsWith(mine.passwd));
        for (const file of ["passwd", "group", "shadow", "gshadow"] as const)
          assert.deepEqual(
            new Set(names(joined[file])),
            new Set([...names(mine[file]), ...names(theirs[file])]),
          );
        for (const file of ["passwd", "group"] as const)
          assert.equal(new Set(numbers(joined[file])).size, numbers(joined[file]).length);
        assert.deepEqual(joinAccounts(joined, theirs), joined);
      }),
    );
  });

  test("garbage never throws", () => {
    const garbage = fc.string({ maxLength: 60, unit: fc.constantFrom("a", ":", "\n", ",", "1", " ") });
    const some = fc.record({ passwd: garbage, group: garbage, shadow: garbage, gshadow: garbage });
    fc.assert(fc.property(some, some, (mine, theirs) => void joinAccounts(mine, theirs)));
  });
});
