import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  cutRules,
  noCuts,
  outwardRules,
  parseCuts,
  passRules,
  removeRules,
  unpassRules,
  withCut,
  withoutCut,
} from "../../src/local/firewall.ts";
import { portName } from "../../src/local/names.ts";

const machine = fc.constantFrom("m1", "m2", "m3");
const peers = fc.option(fc.uniqueArray(fc.constantFrom("m1", "m2", "m3", "host"), { minLength: 1 }), {
  nil: undefined,
});
const step = fc.record({ machine, peers });
const cuts = fc
  .array(step)
  .map((steps) => steps.reduce((all, { machine, peers }) => withCut(all, machine, peers), noCuts));

describe("cuts", () => {
  test("are the same when made twice, and gone when every machine is healed", () => {
    fc.assert(
      fc.property(cuts, step, (before, { machine, peers }) => {
        const once = withCut(before, machine, peers);
        assert.deepEqual(withCut(once, machine, peers), once);
        const healed = ["m1", "m2", "m3"].reduce((all, name) => withoutCut(all, name), once);
        assert.deepEqual(healed, noCuts);
      }),
    );
  });

  test("never name a pair twice, in whichever order", () => {
    fc.assert(
      fc.property(cuts, ({ apart }) => {
        const pairs = apart.map(([a, b]) => [a, b].sort().join(" "));
        assert.equal(new Set(pairs).size, pairs.length);
      }),
    );
  });

  test("between two machines end with either’s healing", () => {
    const one = withCut(noCuts, "m1", ["m2", "host"]);
    assert.deepEqual(withoutCut(one, "m2", ["m1"]).apart, [["m1", "host"]]);
    assert.deepEqual(withoutCut(one, "m1"), noCuts);
  });

  test("are read back from what nft lists", () => {
    const port = (name: string): string => portName("demo", name);
    const json = JSON.stringify({
      nftables: [
        { metainfo: {} },
        { set: { name: "lost", elem: [port("m3"), "vb-unknown"] } },
        {
          set: {
            name: "apart",
            elem: [{ concat: [port("m1"), port("m2")] }, { concat: [port("m2"), port("m1")] }],
          },
        },
        { set: { name: "off_host", elem: [port("m2")] } },
      ],
    });
    const found = parseCuts("demo", json, ["m1", "m2", "m3"]);
    assert.deepEqual([...found.lost], ["m3"]);
    assert.deepEqual(found.apart, [
      ["m1", "m2"],
      ["m2", "host"],
    ]);
  });

  test("become rules that replace the ones before in one go", () => {
    const rules = cutRules("demo", withCut(withCut(noCuts, "m3"), "m1", ["m2", "host"]));
    const [a, b, c] = ["m1", "m2", "m3"].map((name) => portName("demo", name));
    assert.match(rules, /^table bridge keelson_\w+\ndelete table bridge keelson_\w+\ntable bridge/);
    assert.ok(rules.includes(`elements = { "${c}" }`));
    assert.ok(rules.includes(`elements = { "${a}" . "${b}", "${b}" . "${a}" }`));
    assert.ok(rules.includes(`elements = { "${a}" }`));
    assert.ok(!cutRules("demo", noCuts).includes("elements"));
    assert.equal(removeRules("demo").match(/delete table/g)?.length, 2);
    assert.match(
      outwardRules("demo", "10.205.7.0/24"),
      /ip saddr 10\.205\.7\.0\/24 oifname != "kn-\w+" masquerade/,
    );
  });
});

test("a host that drops what it forwards lets the cluster pass, once, and forgets it", () => {
  const chain = (policy: string, ...rules: unknown[]): string =>
    JSON.stringify({
      nftables: [{ chain: { name: "FORWARD", policy } }, ...rules.map((rule) => ({ rule }))],
    });
  assert.equal(passRules("demo", chain("accept")), "");
  assert.match(
    passRules("demo", chain("drop")),
    /^insert rule .* iifname "kn-\w+" accept comment "keelson demo"\n/,
  );
  const ours = { handle: 7, comment: "keelson demo" };
  const others = { handle: 8, comment: "keelson demo2" };
  assert.equal(passRules("demo", chain("drop", ours)), "");
  assert.notEqual(passRules("demo", chain("drop", others)), "");
  assert.equal(unpassRules("demo", chain("drop", ours, others)), "delete rule ip filter FORWARD handle 7\n");
});
