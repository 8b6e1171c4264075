// What an update costs a machine, from its first request to the moment when a restart would start the new version,
// beside dd of the same bytes onto the same slot of the same machine.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestMachine } from "../test/os/support/machine.ts";
import { serveReleases } from "../test/os/support/release-server.ts";
import { testImage, writeTestRelease } from "../test/os/support/releases.ts";
import type { BenchOptions, BenchResult } from "./result.ts";
import { median } from "./statistics.ts";

const patience = { timeoutMs: 600_000 };

export async function run({ rounds = 3 }: BenchOptions = {}): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-bench-update-"));
  try {
    const image = await testImage("0.1.0");
    const { manifest } = await writeTestRelease(await testImage("0.2.0"), folder);
    await using server = await serveReleases(folder);
    await using machine = await TestMachine.boot({
      image: image.disk,
      diskBytes: 5 * 2 ** 30,
      outward: true,
    });
    await machine.untilStarted(patience);
    const bytes = manifest.root.unpacked?.size ?? manifest.root.size;
    const blocks = Math.ceil(bytes / 2 ** 20);
    const writes = "oflag=direct conv=fsync status=none";
    const dd: number[] = [];
    const updates: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const line = `s=$(cut -d' ' -f1 /proc/uptime); dd if=/dev/vda2 of=/dev/vda3 bs=1M count=${blocks} iflag=direct ${writes}; e=$(cut -d' ' -f1 /proc/uptime); echo $s $e`;
      const [start = 0, end = 0] = (await machine.sh(line, patience)).trim().split(" ").map(Number);
      dd.push(end - start);
      const command = `keel os update --from ${server.url} --to 0.2.0 --force -o json`;
      updates.push((JSON.parse(await machine.sh(command, patience)) as { seconds: number }).seconds);
    }
    const [value, peer] = [median(updates), median(dd)];
    const { name } = machine.accelerator;
    const row = {
      what: "update: download from loopback, write, verify, ready to restart",
      value,
      unit: "s",
      reach: "ratio at most 2",
      peer,
      peerName: "dd of the image’s bytes",
      ratio: value / peer,
      note:
        name === "kvm"
          ? ""
          : `emulated (${name}): unpacking and hashing cost ten to twenty times a processor’s`,
    };
    return {
      name: "os-update",
      how: `${blocks} MiB of root image, one 1 GiB machine with two processors under ${name}, the median of ${rounds}`,
      rows: [row],
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
