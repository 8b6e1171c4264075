import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { idOf, Sketch, threeMachines } from "./sketch.ts";

describe("where a unit goes", () => {
  test("to the machine with the fewest units, then to the lowest identity", () => {
    const cluster = threeMachines().unit("a.service").unit("b.service").unit("c.service").unit("d.service");
    cluster.run();
    assert.deepEqual(
      ["a.service", "b.service", "c.service", "d.service"].map((unit) => cluster.where(unit)),
      [["m1"], ["m2"], ["m3"], ["m1"]],
    );
  });

  test("replicas spread first, whatever the load", () => {
    const cluster = threeMachines();
    for (const name of ["x1", "x2", "x3"]) cluster.unit(`${name}.service`, "MachineID=m1");
    cluster.unit("web@.service", "", { replicas: 6 });
    cluster.run();
    const count = (machine: string): number =>
      [1, 2, 3, 4, 5, 6].filter((n) => cluster.where(`web@${n}.service`)[0] === machine).length;
    assert.deepEqual([count("m1"), count("m2"), count("m3")], [2, 2, 2]);
  });

  test("volumes and networks weigh nothing", () => {
    const cluster = threeMachines().unit("a.volume", "[Volume]\n").unit("b.network", "[Network]\n");
    cluster.unit("web.service").run();
    assert.deepEqual(cluster.where("web.service"), ["m1"]);
  });

  test("loaded units are placed, inactive ones are not", () => {
    const cluster = threeMachines().unit("a.service", "", { desired: "loaded" });
    cluster.unit("b.service", "", { desired: "inactive" }).run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    assert.equal([...cluster.schedule.values()][0]?.get("a.service")?.desired, "loaded");
    assert.deepEqual(cluster.where("b.service"), []);
  });

  for (const wanted of ["m2", "00020002", "000200020002", "00020002000200020002000200020002", "boot-m2"]) {
    test(`MachineID=${wanted}`, () => {
      const cluster = threeMachines().unit("a.service", `MachineID=${wanted}`);
      cluster.run();
      assert.deepEqual(cluster.where("a.service"), ["m2"]);
    });
  }

  test("a prefix of fewer than eight characters is a name, and nobody’s", () => {
    const cluster = threeMachines().unit("a.service", "MachineID=0002");
    const plan = cluster.run();
    assert.deepEqual(cluster.where("a.service"), []);
    assert.match(plan.unplaced.get("a.service")?.reason ?? "", /m1, m2, m3 is not the machine 0002/);
    assert.equal(plan.unplaced.get("a.service")?.final, true);
  });

  test("metadata that people set count over the machine's own", () => {
    const cluster = new Sketch().machine("m1", { region: "eu" }).machine("m2", { region: "us" });
    cluster.unit("a.service", "MachineMetadata=region=us").run();
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
    const set = (name: string, region: string): void =>
      void cluster.machineSettings.set(idOf(name), {
        machine: idOf(name),
        cordoned: false,
        metadata: { region },
      });
    set("m1", "us");
    set("m2", "");
    cluster.unit("b.service", "MachineMetadata=region=us").obey().run();
    assert.deepEqual(cluster.where("b.service"), ["m1"]);
  });

  test("metadata: one of the values of each key", () => {
    const cluster = new Sketch()
      .machine("m1", { region: "us" })
      .machine("m2", { region: "eu" })
      .machine("m3", { region: "eu", disk: "ssd" });
    cluster.unit("a.service", 'MachineMetadata="region=eu" "region=asia" "disk=ssd"');
    cluster
      .unit("b.service", "MachineMetadata=region=mars")
      .unit("c.service", "MachineMetadata=constructor=x");
    const plan = cluster.run();
    assert.deepEqual(cluster.where("a.service"), ["m3"]);
    assert.match(
      plan.unplaced.get("b.service")?.reason ?? "",
      /m2, m3 has region=eu, not mars; m1 has region=us/,
    );
  });

  test("conflicts hold in both directions, by pattern, and never with oneself", () => {
    const cluster = threeMachines();
    for (const n of [1, 2, 3, 4]) cluster.unit(`web@${n}.service`, "Conflicts=web@*.service");
    const plan = cluster.run();
    assert.deepEqual(
      [1, 2, 3].map((n) => cluster.where(`web@${n}.service`)),
      [["m1"], ["m2"], ["m3"]],
    );
    assert.match(
      plan.unplaced.get("web@4.service")?.reason ?? "",
      /m1 has web@1\.service, with which it conflicts/,
    );

    const oneWay = new Sketch().machine("m1").unit("a.service", "Conflicts=b.service").unit("b.service");
    assert.match(oneWay.run().unplaced.get("b.service")?.reason ?? "", /which conflicts with it/);
    oneWay.units.delete("a.service");
    oneWay.obey().run();
    assert.deepEqual(oneWay.where("b.service"), [], "until a.service has stopped");
    oneWay.obey().run();
    assert.deepEqual(oneWay.where("b.service"), ["m1"]);
  });

  test("host ports: overlap keeps apart, other protocols and addresses do not", () => {
    const published = (port: string): string => `[Container]\nImage=x\nPublishPort=${port}\n`;
    const cluster = new Sketch().machine("m1");
    cluster.unit("a.container", published("8080:80"));
    cluster.unit("b.container", published("8079-8081:79-81"));
    cluster.unit("c.container", published("8080:80/udp"));
    cluster.unit("d.container", published("127.0.0.1:9000:80"));
    cluster.unit("e.container", published("127.0.0.2:9000:80"));
    cluster.unit("f.container", published("80"));
    const plan = cluster.run();
    assert.deepEqual([...plan.unplaced.keys()], ["b.container"]);
    assert.match(
      plan.unplaced.get("b.container")?.reason ?? "",
      /m1 has a\.container, which takes ports 8079-8081\/tcp/,
    );
  });

  test("a follower goes where its peers are, and its leader where the follower can go", () => {
    const cluster = threeMachines();
    cluster.machine("m3", { disk: "ssd" });
    cluster.unit("a-log.service", "MachineOf=web.service\nMachineMetadata=disk=ssd").unit("web.service");
    cluster.run();
    assert.deepEqual([cluster.where("web.service"), cluster.where("a-log.service")], [["m3"], ["m3"]]);
  });

  test("units that wait for each other are told so", () => {
    const cluster = threeMachines()
      .unit("a.service", "MachineOf=b.service")
      .unit("b.service", "MachineOf=a.service");
    const plan = cluster.run();
    assert.match(
      plan.unplaced.get("a.service")?.reason ?? "",
      /does not have b\.service, beside which it must run/,
    );
  });

  test("global units run on every machine that fits, and follow machines that come", () => {
    const cluster = new Sketch().machine("m1", { role: "edge" }).machine("m2");
    cluster
      .unit("all.service", "Global=yes")
      .unit("edge.service", "Global=yes\nMachineMetadata=role=edge")
      .run();
    assert.deepEqual(cluster.where("all.service"), ["m1", "m2"]);
    assert.deepEqual(cluster.where("edge.service"), ["m1"]);
    cluster.machine("m3", { role: "edge" }).run();
    assert.deepEqual(cluster.where("all.service"), ["m1", "m2", "m3"]);
    assert.deepEqual(cluster.where("edge.service"), ["m1", "m3"]);
  });

  test("a container runs with its pod, and its pod’s ports count", () => {
    const cluster = threeMachines();
    cluster
      .unit("busy.container", "[Container]\nImage=x\nPublishPort=80:80\n\n[X-Fleet]\nMachineID=m1\n")
      .run();
    cluster.unit("web.pod", "[Pod]\nPublishPort=80:80\n", { desired: "inactive" });
    cluster
      .unit("a.container", "[Container]\nImage=x\nPod=web.pod\n")
      .unit("b.container", "[Container]\nImage=x\nPod=web.pod\n");
    cluster.run();
    assert.deepEqual([cluster.where("a.container"), cluster.where("b.container")], [["m2"], ["m2"]]);
    assert.deepEqual(cluster.companions("m2"), ["web.pod"]);
  });

  test("what refers to a file that is not there waits for it, and says so", () => {
    const cluster = threeMachines();
    cluster.unit("a.container", "[Container]\nImage=x\nVolume=data@1.volume:/data\n");
    const waiting = cluster.run().unplaced.get("a.container");
    assert.match(waiting?.reason ?? "", /refers to data@1\.volume, which the cluster does not have/);
    assert.equal(waiting?.final, true);
    cluster.unit("data@.volume", "[Volume]\n", { desired: "inactive" }).run();
    assert.deepEqual(cluster.where("a.container"), ["m1"]);
    assert.deepEqual(cluster.companions("m1"), ["data@1.volume"]);
  });

  test("files follow what refers to them, through each other, and go when nothing does", () => {
    const cluster = threeMachines();
    cluster.unit("app.network", "[Network]\n", { desired: "inactive" });
    cluster.unit("data.volume", "[Volume]\nDriver=image\nImage=base.image\n", { desired: "inactive" });
    cluster.unit("base.image", "[Image]\nImage=x\n", { desired: "inactive" });
    cluster.unit("web@.container", "[Container]\nImage=x\nNetwork=app.network\nVolume=data.volume:/data\n", {
      replicas: 2,
    });
    cluster.run();
    assert.deepEqual(cluster.companions("m1"), ["app.network", "base.image", "data.volume"]);
    assert.deepEqual(cluster.companions("m2"), ["app.network", "base.image", "data.volume"]);
    assert.deepEqual(cluster.companions("m3"), []);
    cluster.obey();
    cluster
      .unit("web@.container", "[Container]\nImage=x\nNetwork=app.network\nVolume=data.volume:/data\n", {
        replicas: 1,
      })
      .run();
    assert.deepEqual(cluster.companions("m2").length, 3, "while the container stops");
    cluster.obey().run();
    assert.deepEqual(cluster.companions("m2"), []);
  });
});

describe("replacing", () => {
  test("a unit gives way to the one that replaces it, and moves when it has stopped", () => {
    const cluster = new Sketch().machine("m1").machine("m2");
    cluster.unit("old.service").unit("other.service").run();
    cluster.obey();
    assert.deepEqual(cluster.where("old.service"), ["m1"]);
    cluster.unit("new.service", "Replaces=old.service\nMachineMetadata=a=b");
    cluster.machine("m1", { a: "b" });
    const plan = cluster.run();
    assert.deepEqual([cluster.where("new.service"), cluster.where("old.service")], [["m1"], []]);
    assert.equal(plan.unplaced.get("old.service")?.final, false);
    cluster.obey().run();
    assert.deepEqual(cluster.where("old.service"), ["m2"]);
  });

  test("nobody gives way who has nowhere to go", () => {
    const cluster = new Sketch().machine("m1").unit("old.service");
    cluster.run();
    cluster.obey().unit("new.service", "Replaces=old.service");
    const plan = cluster.run();
    assert.deepEqual(cluster.where("old.service"), ["m1"]);
    assert.match(plan.unplaced.get("new.service")?.reason ?? "", /nowhere else to go/);
  });

  test("two that replace each other stay together", () => {
    const cluster = new Sketch()
      .machine("m1")
      .unit("a.service", "Replaces=b.service")
      .unit("b.service", "Replaces=a.service");
    cluster.run();
    assert.deepEqual([cluster.where("a.service"), cluster.where("b.service")], [["m1"], ["m1"]]);
  });
});

describe("why", () => {
  test("each machine with its reason, the current one with its state", () => {
    const cluster = new Sketch().machine("m1").machine("m2", { disk: "ssd" }).machine("m3", { disk: "ssd" });
    cluster.unit("db.service", "MachineMetadata=disk=ssd").run();
    cluster.obey().lose("m1");
    const [reasons] = cluster.why("db.service");
    assert.deepEqual(
      reasons?.machines.map(({ name, fits, current, reasons }) => [name, fits, current, ...reasons]),
      [
        ["m1", false, false, "does not report"],
        ["m2", true, true, "has it: active (running)"],
        ["m3", true, false, "fits; it has 0 units"],
      ],
    );
    assert.equal(reasons?.because, "fewest units (0) of the machines that fit");
    assert.equal(reasons?.waitsFor, "");
  });

  test("all reasons of a machine, not only the first", () => {
    const cluster = new Sketch().machine("m1");
    cluster.unit("a.service").run();
    cluster.unit("b.service", "MachineMetadata=x=y\nConflicts=a.service");
    const [reasons] = cluster.why("b.service");
    assert.deepEqual(reasons?.machines[0]?.reasons, ["has no x=y", "has a.service, with which it conflicts"]);
    assert.match(reasons?.waitsFor ?? "", /^no machine fits/);
  });

  test("each replica of a template; a file that cannot be read says so; nobody knows other names", () => {
    const cluster = threeMachines().unit("web@.service", "", { replicas: 2 }).unit("bad.service", "Oops=1");
    assert.deepEqual(
      cluster.why("web@.service").map(({ name }) => name),
      ["web@1.service", "web@2.service"],
    );
    assert.deepEqual(
      cluster.why("web@2.service").map(({ name }) => name),
      ["web@2.service"],
    );
    assert.match(cluster.why("bad.service")[0]?.waitsFor ?? "", /knows no Oops=/);
    assert.deepEqual(cluster.why("nobody.service"), []);
  });
});
