import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { base64, Bench, hashOf, refusal, service, start, stop, submission } from "./bench.ts";

describe("submit", () => {
  test("records what was asked, byte for byte", () => {
    const bench = new Bench();
    const body = "\uFEFF[Service]\r\nExecStart=/bin/true\r\n# end";
    bench.submit({ "web.service": body }, { desired: "inactive" });
    const unit = bench.units.get("web.service");
    assert.equal(unit?.desired, "inactive");
    assert.equal(unit?.owner, "ada");
    assert.equal(unit?.hash, hashOf(body));
    assert.equal(bench.bodies.get(hashOf(body)), body);
  });

  test("the same content again is no change, and never lowers what is desired", () => {
    const bench = new Bench();
    bench.submit({ "web.service": service() });
    const again = bench.plan(submission({ "web.service": service() }, { desired: "inactive" }));
    assert.deepEqual(again.operation.changes, []);
    assert.deepEqual(again.unchanged, ["web.service"]);
  });

  test("other content needs replace", () => {
    const bench = new Bench();
    bench.submit({ "web.service": service(), "db.service": service() });
    const other = { "web.service": service("Restart=always\n"), "db.service": service() };
    const error = refusal(() => bench.plan(submission(other)));
    assert.equal(error.code, "KEEL-505");
    assert.deepEqual(error.details, { units: ["web.service"] });
    bench.submit(other, { replace: true });
    assert.equal(bench.units.get("web.service")?.hash, hashOf(other["web.service"]));
    assert.equal(bench.units.get("web.service")?.generation, 2);
  });

  test("replicas: from the request, then from the file, then as they were", () => {
    const bench = new Bench();
    const body = service("[X-Keelson]\nReplicas=3\nOwner=web team\n");
    bench.submit({ "web@.service": body });
    assert.equal(bench.units.get("web@.service")?.replicas, 3);
    assert.equal(bench.units.get("web@.service")?.owner, "web team");
    bench.submit({ "web@.service": body }, { replicas: 5 });
    assert.equal(bench.units.get("web@.service")?.replicas, 5);
    bench.submit({ "web@.service": body });
    assert.equal(bench.units.get("web@.service")?.replicas, 5);
    bench.submit({ "web@.service": service() }, { replace: true });
    assert.equal(bench.units.get("web@.service")?.replicas, 5);
  });

  test("refuses what cannot be: names, options, templates without replicas, repetitions, base64, sizes", () => {
    const bench = new Bench();
    const code = (files: Readonly<Record<string, string>>, fields = {}): string =>
      refusal(() => bench.plan(submission(files, fields))).code;
    assert.equal(code({ "web.servcie": service() }), "KEEL-103");
    assert.equal(code({ "web.service": "[Service\n" }), "KEEL-101");
    assert.equal(code({ "web.service": service("[X-Fleet]\nGlobl=1\n") }), "KEEL-102");
    assert.equal(code({ "web@.service": service("[X-Fleet]\nMachineMetadata=%i\n") }), "KEEL-102");
    assert.equal(code({ "web@1.service": service("[X-Keelson]\nReplicas=2\n") }), "KEEL-102");
    assert.equal(code({ "web@.service": service() }), "KEEL-105");
    assert.equal(code({ "web.service": service() }, { replicas: 2 }), "KEEL-104");
    assert.equal(code({ "big.service": `#${"x".repeat(1 << 20)}` }), "KEEL-605");
    const twice = [1, 2].map(() => ({ name: "a.service", body: base64(service()) }));
    assert.equal(code({}, { files: twice }), "KEEL-104");
    assert.equal(code({}, { files: [{ name: "a.service", body: "no base64!" }] }), "KEEL-104");
    assert.equal(
      code({}, { files: [{ name: "a.service", body: base64(new Uint8Array([0xff])) }] }),
      "KEEL-101",
    );
    assert.equal(bench.units.size, 0);
  });

  test("a template may be stored without replicas", () => {
    const bench = new Bench();
    bench.submit({ "web@.service": service() }, { desired: "inactive" });
    assert.equal(bench.units.get("web@.service")?.desired, "inactive");
  });

  test("notes name what is missing and what podman will not take", () => {
    const body = "[Container]\nImage=x\nNetwork=app.network\nPod=web.pod\nImge=y\n";
    const { notes } = new Bench().plan(submission({ "web.container": body }));
    assert.match(notes[0] ?? "", /web\.container refers to app\.network, which the cluster does not have/);
    assert.match(notes[1] ?? "", /web\.pod/);
    assert.match(notes[2] ?? "", /^web\.container:5:1: podman knows no Imge=/);
  });
});

describe("names", () => {
  const bench = new Bench();
  bench.submit({
    "web.service": service(),
    "web.socket": "[Socket]\nListenStream=1\n",
    "db.container": "[Container]\nImage=x\n",
  });
  bench.submit({ "rep@.container": "[Container]\nImage=x\n" }, { replicas: 3 });
  const stopped = (...names: string[]): string[] =>
    bench.plan(stop(...names)).operation.changes.map(({ unit }) => unit);

  test("exact, without suffix, of templates, patterns", () => {
    assert.deepEqual(stopped("web.service"), ["web.service"]);
    assert.deepEqual(stopped("db"), ["db.container"]);
    assert.deepEqual(stopped("rep@"), ["rep@.container"]);
    assert.deepEqual(stopped("rep"), ["rep@.container"]);
    assert.deepEqual(stopped("web*"), ["web.service", "web.socket"]);
    assert.deepEqual(stopped("web*", "web.service", "db"), ["web.service", "web.socket", "db.container"]);
  });

  test("ambiguous, unknown with the nearest, nothing, everything", () => {
    assert.equal(refusal(() => stopped("web")).code, "KEEL-104");
    const unknown = refusal(() => stopped("web.sevice"));
    assert.deepEqual([unknown.code, unknown.hint], ["KEEL-501", "Did you mean web.service?"]);
    assert.match(refusal(() => stopped("dbb")).hint ?? "", /db\.container/);
    for (const names of [[], [""], [" "], ["zzz*"], ["*"], ["web*", "db*", "rep*"]]) {
      assert.equal(refusal(() => stopped(...names)).code, "KEEL-203", JSON.stringify(names));
    }
    assert.equal(refusal(() => new Bench().plan({ kind: "destroy", units: { all: true } })).code, "KEEL-203");
  });

  test("a replica has no settings of its own", () => {
    const error = refusal(() => stopped("rep@2.container"));
    assert.equal(error.code, "KEEL-104");
    assert.match(error.hint ?? "", /rep@\.container/);
    assert.match(error.hint ?? "", /keel scale rep@\.container/);
    assert.deepEqual(bench.plan(start("rep@2")).unchanged, ["rep@2.container"]);
  });

  test("a replica restarts alone; together with its template there is nothing left to do for it", () => {
    const restart = (...names: readonly string[]) =>
      bench.plan({ kind: "restart", units: { names: [...names] } }).operation;
    const { summary, changes } = restart("rep@2", "rep@1");
    assert.equal(summary, "restart rep@2.container and rep@1.container");
    const [change] = changes;
    assert.equal(change?.unit, "rep@.container");
    assert.deepEqual(change.after?.replicaRestarts, { "rep@1.container": 1, "rep@2.container": 1 });
    assert.equal(change.after.restarts, change.before?.restarts);
    assert.equal(restart("rep@", "rep@1").changes.length, 1);
    assert.equal(restart("rep@", "rep@1").changes[0]?.after?.replicaRestarts, undefined);
    assert.equal(refusal(() => restart("rep@99")).code, "KEEL-501");
  });
});

describe("changes", () => {
  test("an instance is made from its template", () => {
    const bench = new Bench();
    bench.submit({ "web@.service": service() }, { desired: "inactive" });
    bench.do(start("web@blue"));
    const made = bench.units.get("web@blue.service");
    assert.deepEqual([made?.desired, made?.hash], ["launched", hashOf(service())]);
    assert.equal(refusal(() => bench.plan(start("web@"))).code, "KEEL-105");
    assert.equal(
      refusal(() => bench.plan({ kind: "restart", units: { names: ["web@red"] } })).code,
      "KEEL-501",
    );
  });

  test("an instance that its template cannot place is refused", () => {
    const bench = new Bench();
    bench.submit({ "web@.service": service("[X-Fleet]\nConflicts=%i\n") }, { desired: "inactive" });
    bench.do(start("web@db"));
    assert.equal(refusal(() => bench.plan(start("web@a\\"))).code, "KEEL-102");
  });

  test("starting what runs changes nothing; starting what failed restarts it", () => {
    const bench = new Bench();
    bench.submit({ "web.service": service() });
    assert.deepEqual(bench.plan(start("web")).operation.changes, []);
    const status = { unit: "web.service", active: "failed", health: "failed" } as never;
    bench.statuses.set("m1", new Map([["web.service", status]]));
    bench.schedule.set("m1", new Map([["web.service", {} as never]]));
    assert.equal(bench.plan(start("web")).operation.changes[0]?.after?.restarts, 1);
    assert.equal(
      bench.plan(submission({ "web.service": service() })).operation.changes[0]?.after?.restarts,
      1,
    );
  });

  test("restart counts for what is started, and says what is not", () => {
    const bench = new Bench();
    bench.submit({ "a.service": service(), "b.service": service() });
    bench.do(stop("b"));
    const plan = bench.plan({ kind: "restart", units: { names: ["a", "b"] } });
    assert.deepEqual(
      plan.operation.changes.map(({ unit, after }) => [unit, after?.restarts]),
      [["a.service", 1]],
    );
    assert.deepEqual(plan.notes, ["b.service is not started, so it is not restarted"]);
  });

  test("scale: starts what was never started, leaves stopped what was stopped, refuses what is no template", () => {
    const bench = new Bench();
    bench.submit(
      { "web@.service": service(), "web.service": service(), "db.service": service() },
      { desired: "inactive" },
    );
    const scaled = bench.do({ kind: "scale", unit: "web", replicas: 3 });
    assert.equal(scaled.summary, "scale web@.service from 0 to 3");
    assert.deepEqual(bench.seen()["web@.service"], `launched ×3 ${service()}`);
    bench.do(stop("web@"));
    assert.match(bench.plan({ kind: "scale", unit: "web@", replicas: 4 }).notes[0] ?? "", /is stopped/);
    assert.equal(refusal(() => bench.plan({ kind: "scale", unit: "db", replicas: 2 })).code, "KEEL-104");
  });

  test("destroying a template takes its replicas along, but no instance of its own", () => {
    const bench = new Bench();
    bench.submit({ "web@.service": service() }, { replicas: 2 });
    bench.do(start("web@blue"));
    bench.destroy("web@.service");
    assert.deepEqual([...bench.units.keys()], ["web@blue.service"]);
  });

  test("a member is removed by name or identity; purge forgets", () => {
    const bench = new Bench();
    const id = "ab".repeat(16);
    bench.members.set(id, { id, name: "m1", address: "a", apiPort: 1, joined: 0 });
    for (const machine of ["m1", id, "abab"]) {
      assert.equal(bench.plan({ kind: "remove-machine", machine }).removesMember, id);
    }
    assert.equal(refusal(() => bench.plan({ kind: "remove-machine", machine: "aba" })).code, "KEEL-502");
    bench.submit({ "a.service": service() });
    assert.equal(bench.plan({ kind: "purge" }).forgetsOperations, 1);
  });
});
