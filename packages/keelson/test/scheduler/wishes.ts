// Random clusters of units with all kinds of wishes, at rest.
import fc from "fast-check";
import { Sketch } from "./sketch.ts";

/** Runs until nothing is written any more. */
export function settle(cluster: Sketch): Sketch {
  for (let pass = 0; pass < 50; pass++) {
    if (cluster.run(1000).groups.length === 0 && pass > 10) return cluster;
    cluster.obey();
  }
  throw new Error("it does not come to rest");
}

export const machineNames = ["m1", "m2", "m3", "m4", "m5"];
export const wishes = fc.array(
  fc.constantFrom(
    "",
    "",
    "MachineMetadata=zone=a",
    "MachineMetadata=zone=b",
    "Conflicts=u1.service",
    "Replaces=u2.service",
    "MachineOf=u0.service",
    "MachineID=m5",
    "Global=true",
    "[Service]\nExecStart=/bin/true\n[X-Keelson]\nMemoryRequest=300M\n",
    "[Service]\nExecStart=/bin/true\n[X-Keelson]\nMemoryRequest=700M\nPriority=5\n",
  ),
  { minLength: 1, maxLength: 10 },
);

export function clusterOf(lines: readonly string[], replicas: number): Sketch {
  const cluster = new Sketch();
  for (const [index, name] of machineNames.entries()) cluster.machine(name, { zone: index % 2 ? "b" : "a" });
  for (const [index, line] of lines.entries()) cluster.unit(`u${index}.service`, line);
  cluster.unit("web@.service", "", { replicas });
  return cluster;
}
