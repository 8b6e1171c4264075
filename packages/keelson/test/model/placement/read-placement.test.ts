import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KeelError } from "../../../src/base/errors.ts";
import { readPlacement } from "../../../src/model/placement/read-placement.ts";
import { PlacementCache } from "../../../src/model/placement/cache.ts";

const fleet = (...lines: string[]): string =>
  `[Service]\nExecStart=/bin/true\n\n[X-Fleet]\n${lines.join("\n")}\n`;
const keelson = (...lines: string[]): string =>
  `[Service]\nExecStart=/bin/true\n[X-Keelson]\n${lines.join("\n")}\n`;

function refusal(name: string, body: string): KeelError {
  try {
    readPlacement(name, body);
  } catch (error) {
    assert.ok(error instanceof KeelError, String(error));
    return error;
  }
  throw new Error(`taken:\n${body}`);
}

describe("[X-Fleet]", () => {
  test("nothing asked for", () => {
    const rules = readPlacement("web.service", "[Service]\nExecStart=/bin/true\n");
    assert.equal(rules.machine, undefined);
    assert.equal(rules.global, false);
    assert.equal(rules.onPartition, "stop");
    assert.deepEqual(rules.machineOf, []);
  });

  test("metadata: same key is or, other keys are and, several on one line in quotes", () => {
    const body = fleet(
      'MachineMetadata="region=eu" "disk=ssd"',
      "MachineMetadata=region=us",
      "MachineMetadata=place=New York",
    );
    const { metadata } = readPlacement("web.service", body);
    assert.deepEqual(
      [...metadata],
      [
        ["region", ["eu", "us"]],
        ["disk", ["ssd"]],
        ["place", ["New York"]],
      ],
    );
  });

  test("lists of units are split at blanks, over several lines", () => {
    const { conflicts, machineOf } = readPlacement(
      "web.service",
      fleet(
        "Conflicts=db@* cache.service",
        "Conflicts=web@*.service",
        "MachineOf=log.service \\\n metrics.service",
      ),
    );
    assert.deepEqual(
      conflicts.map(({ pattern }) => pattern),
      ["db@*", "cache.service", "web@*.service"],
    );
    assert.deepEqual(machineOf, ["log.service", "metrics.service"]);
  });

  test("the last Global counts, in any of systemd's words", () => {
    assert.equal(readPlacement("a.service", fleet("Global=true", "Global=no")).global, false);
    assert.equal(readPlacement("a.service", fleet("Global=1")).global, true);
  });

  test("fleet's old spellings mean the same", () => {
    const body = fleet(
      "X-ConditionMachineMetadata=a=b",
      "X-ConditionMachineOf=b.service",
      "X-Conflicts=c.service",
    );
    const rules = readPlacement("a.service", body);
    assert.deepEqual([...rules.metadata.keys()], ["a"]);
    assert.deepEqual(rules.machineOf, ["b.service"]);
    assert.equal(rules.conflicts.length, 1);
    assert.equal(readPlacement("a.service", fleet("X-ConditionMachineBootID=abcdef01")).machine, "abcdef01");
    assert.equal(readPlacement("a.service", fleet("X-ConditionMachineID=m1")).machine, "m1");
  });

  test("specifiers stand for the instance", () => {
    const body = fleet(
      "MachineOf=%p-db@%i.service",
      "Conflicts=%p@*.service %N-old.service",
      "MachineMetadata=zone=%i",
    );
    const rules = readPlacement("web@3.service", body);
    assert.deepEqual(rules.machineOf, ["web-db@3.service"]);
    assert.deepEqual(
      rules.conflicts.map(({ pattern }) => pattern),
      ["web@*.service", "web@3-old.service"],
    );
    assert.deepEqual(rules.metadata.get("zone"), ["3"]);
  });

  test("an unknown key is refused with its place and the nearest name", () => {
    const error = refusal("web.service", fleet("  Conflict=db.service"));
    assert.equal(error.code, "KEEL-102");
    assert.deepEqual(error.details, { file: "web.service", line: 5, column: 3, nearest: "Conflicts" });
    assert.match(
      error.message,
      /^web\.service:5:3: \[X-Fleet\] knows no Conflict=; did you mean Conflicts\?$/,
    );
    assert.equal(refusal("web.service", fleet("Memory=2G")).code, "KEEL-102");
  });

  const malformed: readonly (readonly [what: string, line: string, column: number])[] = [
    ["metadata without =", "MachineMetadata=region", 17],
    ["metadata with two =", "MachineMetadata=a=b c=d", 17],
    ["metadata without a value", 'MachineMetadata="a=b" "c="', 23],
    ["an open quote", 'Conflicts="a.service', 11],
    ["an empty list", "Conflicts=", 11],
    ["a pattern with an open bracket", "Conflicts=ok.service web[", 22],
    ["a Global that is no boolean", "Global=maybe", 8],
    ["a peer that is no unit", "MachineOf=db", 11],
  ];
  for (const [what, line, column] of malformed) {
    test(`${what} is refused at its column`, () => {
      const error = refusal("web.service", fleet(line));
      assert.equal(error.code, "KEEL-102");
      assert.equal(error.details?.["line"], 5);
      assert.equal(error.details?.["column"], column);
    });
  }

  const contradictions: readonly (readonly string[])[] = [
    ["MachineID=m1", "MachineOf=a.service"],
    ["MachineID=m1", "Conflicts=a.service"],
    ["MachineID=m1", "Global=yes"],
    ["MachineID=m1", "Replaces=a.service"],
    ["Global=yes", "MachineOf=a.service"],
    ["Global=yes", "Replaces=a.service"],
    ["Replaces=a.service", "Conflicts=b.service"],
    ["MachineOf=a.service", "Conflicts=a*"],
    ["MachineOf=a.service", "Replaces=a*"],
    ["MachineID=m1", "MachineID=m2"],
  ];
  for (const lines of contradictions) {
    test(`${lines.join(" and ")} exclude each other`, () => {
      assert.equal(refusal("web.service", fleet(...lines)).code, "KEEL-102");
    });
  }

  test("Global=no excludes nothing", () => {
    assert.equal(readPlacement("a.service", fleet("Global=no", "MachineID=m1")).machine, "m1");
  });
});

describe("[X-Keelson]", () => {
  test("replicas, what to do in a partition, and the owner", () => {
    const rules = readPlacement("web@.service", keelson("Replicas=3", "OnPartition=keep", "Owner=team web"));
    assert.equal(rules.replicas, 3);
    assert.equal(rules.onPartition, "keep");
    assert.equal(rules.owner, "team web");
  });

  const refused: readonly (readonly [name: string, lines: readonly string[], message: RegExp])[] = [
    ["web.service", ["Replicas=3"], /is for templates/],
    ["web@.service", ["Replicas=-1"], /no whole number from 0 to 10000/],
    ["web@.service", ["Replicas=10001"], /no whole number/],
    ["web@.service", ["Replicas=2", "Replicas=3"], /given twice/],
    ["web.service", ["OnPartition=kepe"], /did you mean keep\?/],
    ["web.service", ["Owner="], /1 to 200 characters/],
    ["web.service", ["SpreadOver=zone"], /is for the replicas/],
    ["web.service", ["OnPartitions=keep"], /did you mean OnPartition\?/],
  ];
  for (const [name, lines, message] of refused) {
    test(`${name}: ${lines.join(", ")} is refused`, () => {
      const error = refusal(name, keelson(...lines));
      assert.equal(error.code, "KEEL-102");
      assert.match(error.message, message);
    });
  }

  test("a section that is nearly one of ours is refused, others are nobody's business", () => {
    assert.match(refusal("a.service", "[X-Fleat]\nGlobal=yes\n").message, /did you mean \[X-Fleet\]\?/);
    readPlacement("a.service", "[X-Monitoring]\nAlert=yes\n");
  });
});

describe("Quadlet files", () => {
  test("host ports, references, pod and images", () => {
    const body = `[Container]
Image=localhost/web:1
PublishPort=8080:80
PublishPort=127.0.0.1:9000-9002:9000-9002/udp
PublishPort=80
Volume=data.volume:/data
Network=app.network
Pod=web.pod
`;
    const rules = readPlacement("web.container", body);
    assert.deepEqual(rules.hostPorts, [
      { first: 8080, last: 8080, protocol: "tcp", address: undefined },
      { first: 9000, last: 9002, protocol: "udp", address: "127.0.0.1" },
    ]);
    assert.deepEqual([...rules.references].sort(), ["app.network", "data.volume"]);
    assert.equal(rules.pod, "web.pod");
    assert.deepEqual(rules.images, ["localhost/web:1"]);
  });

  test("a port may depend on the instance; one that only the machine knows claims nothing", () => {
    const body = "[Container]\nImage=a\nPublishPort=80%i:80\nPublishPort=%H:81\n";
    assert.throws(() => readPlacement("web@x.container", body), { code: "KEEL-101" });
    const ports = readPlacement("web@81.container", body).hostPorts;
    assert.deepEqual(
      ports.map(({ first }) => first),
      [8081],
    );
  });

  test("what is wrong with the file itself is KEEL-101 with its place, and the name KEEL-103", () => {
    const error = refusal("web.service", "[Service]\nExecStart\n");
    assert.equal(error.code, "KEEL-101");
    assert.equal(error.details?.["line"], 2);
    assert.equal(refusal("web", "").code, "KEEL-103");
  });
});

test("whatever is read, an error is a KeelError with a place inside the file", () => {
  const line = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom(
      "[X-Fleet]",
      "[X-Keelson]",
      "Global=",
      "Conflicts=a[",
      'MachineMetadata="a=b',
      "MachineID=x",
      "Replicas=1",
      "MachineOf=%i",
    ),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const body = lines.join("\n");
      try {
        readPlacement("web@1.service", body);
      } catch (error) {
        assert.ok(error instanceof KeelError, String(error));
        const at = error.details?.["line"];
        assert.ok(
          at === undefined || (typeof at === "number" && at >= 1 && at <= body.split(/\n|\r/).length + 1),
        );
      }
    }),
    { numRuns: 300 },
  );
});

test("the cache reads a body once for all instances, unless it holds specifiers", () => {
  let reads = 0;
  const bodies = new Map([
    ["plain", fleet("Conflicts=web@*")],
    ["each", fleet("MachineMetadata=zone=%i")],
  ]);
  const cache = new PlacementCache((hash) => {
    reads += 1;
    return bodies.get(hash);
  });
  assert.equal(cache.rulesOf("plain", "web@1.service"), cache.rulesOf("plain", "web@2.service"));
  assert.equal(reads, 1);
  assert.notEqual(cache.rulesOf("each", "web@1.service"), cache.rulesOf("each", "web@2.service"));
  assert.equal(cache.rulesOf("gone", "web@1.service"), "missing");
  const broken = new PlacementCache(() => fleet("Oops=1"));
  assert.ok(broken.rulesOf("x", "web.service") instanceof KeelError);
  cache.retain(new Set(["each"]));
  bodies.delete("plain");
  assert.equal(cache.rulesOf("plain", "web@1.service"), "missing");
});
