// The cluster on which the original's functional list is played, and what its checks have in common.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InstanceView } from "../../../packages/keelson/src/api/wire/instance.ts";
import type { SnapshotView } from "../../../packages/keelson/src/api/wire/snapshot.ts";
import { Cluster } from "../../support/cluster.ts";
import type { KeelResult } from "../../support/cluster.ts";

export const machines = ["m1", "m2", "m3", "m4"] as const;

export class Stage {
  readonly cluster: Cluster;
  #folder = "";

  constructor(name: string) {
    this.cluster = new Cluster(name);
  }

  async open(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "keelson-functional-"));
    await this.cluster.keel(["up", "--no-example", "-n", String(machines.length)]);
  }

  async close(): Promise<void> {
    await this.cluster.down();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Destroys all units and waits until nothing is left of them. */
  clear(): Promise<void> {
    return this.cluster.clear();
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  /** Writes unit files side by side; resolves with their paths. */
  async files(contents: Readonly<Record<string, string>>): Promise<string[]> {
    for (const [name, text] of Object.entries(contents)) await writeFile(this.path(name), text);
    return Object.keys(contents).map((name) => this.path(name));
  }

  /** Hands unit files in with a verb. */
  async hand(
    verb: "submit" | "load" | "start",
    contents: Readonly<Record<string, string>>,
    ...more: string[]
  ): Promise<KeelResult> {
    return this.cluster.keel([verb, ...more, ...(await this.files(contents))]);
  }

  /** Rows of a list as fleetctl prints them: one array of columns for each. */
  async rows(command: string, fields: string): Promise<string[][]> {
    const { stdout } = await this.cluster.keel([command, "--no-legend", "--full", `--fields=${fields}`]);
    return stdout.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.trim().split(/\s{2,}|\t/)]));
  }

  /** systemd's active state of each unit in list-units, one entry for each machine. */
  async active(): Promise<Record<string, string[]>> {
    const found: Record<string, string[]> = {};
    for (const [unit = "", active = ""] of await this.rows("list-units", "unit,active"))
      (found[unit] ??= []).push(active);
    return found;
  }

  /** Waits until these units, and no others, are active; resolves with unit → machine. */
  async untilActive(...names: string[]): Promise<Record<string, string>> {
    const { snapshot } = await this.cluster.until(`active: ${names.join(" ")}`, (now) => {
      const up = now.instances.filter(({ state }) => state === "healthy").map(({ name }) => name);
      return up.length === names.length && names.every((name) => up.includes(name));
    });
    return homesOf(snapshot);
  }

  async machineId(name: string): Promise<string> {
    const { machines: all } = await this.cluster.snapshot();
    const id = all.find((machine) => machine.name === name)?.id;
    assert.ok(id, `there is a machine ${name}`);
    return id;
  }

  /** Runs a shell line on a machine from the host, whatever the cluster knows of the machine. */
  inside(machine: string, line: string): Promise<string> {
    return this.cluster.inside(machine, line);
  }
}

/** Unit → machine, of the instances that are healthy. */
export function homesOf({ instances }: SnapshotView): Record<string, string> {
  const healthy = instances.filter(({ state, companion }) => state === "healthy" && !companion);
  return Object.fromEntries(healthy.map(({ name, machineName }) => [name, machineName ?? ""]));
}

export const onMachine = (instances: readonly InstanceView[], machine: string): string[] =>
  instances.filter(({ machineName }) => machineName === machine).map(({ name }) => name);

/** A service that sleeps, as the original's fixtures do. */
export const sleeper = (fleet = "", more = ""): string =>
  `[Unit]\nDescription=Test Unit\n\n[Service]\nExecStart=/bin/bash -c "while true; do echo Hello, World!; sleep 1; done"\n${more}${fleet === "" ? "" : `\n[X-Fleet]\n${fleet}\n`}`;
