// The systemd suite on one of the project's own machines.
import { test } from "node:test";
import { machineTree, newCluster, removeAbandoned, whyNoMachines } from "../support/machines.ts";
import { systemdSuite } from "./systemd-suite.ts";

const reason = whyNoMachines();

if (reason === false) {
  const cluster = newCluster("systemd");
  systemdSuite(
    async () => {
      await removeAbandoned();
      const tree = await machineTree();
      await cluster.create(tree.layers);
      const machines = await cluster.machines();
      await machines.create({ name: "m1" });
      await machines.start("m1");
      await machines.ready("m1");
      const target = (await machines.execCommand("m1", ["true"])).find((word) =>
        word.startsWith("--target="),
      );
      return `/proc/${target?.slice("--target=".length)}/root/run/dbus/system_bus_socket`;
    },
    () => cluster.destroy(),
  );
} else {
  test("systemd on a real machine", { skip: reason }, () => undefined);
}
