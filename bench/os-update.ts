// What an update costs a machine, from its first request to the moment when a restart would start the new version,
// beside dd of the same bytes onto the same slot: on this processor with slots in files, and in an emulated machine.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestMachine } from "../test/os/support/machine.ts";
import { serveReleases } from "../test/os/support/release-server.ts";
import { testImage, writeTestRelease } from "../test/os/support/releases.ts";
import { nativeUpdate } from "./os-update/native.ts";
import type { BenchOptions, BenchResult, BenchRow } from "./result.ts";
import { median } from "./statistics.ts";

const patience = { timeoutMs: 600_000 };

const names = { native: "update on this processor", emulated: "update of an emulated machine" };

/** `only` is asked for the two names. A release is packed as for publishing, which takes minutes once. */
export async function run({ rounds, only }: BenchOptions = {}): Promise<BenchResult> {
  const isMeant = (name: string): boolean => only === undefined || only.test(name);
  const native = isMeant(names.native) ? await nativeUpdate(names.native, rounds ?? 5) : [];
  const emulated = isMeant(names.emulated) ? [await emulatedUpdate(rounds ?? 3)] : [];
  return {
    name: "os-update",
    how: "a whole update over HTTP from loopback, verified and ready to restart, in turns with dd to the same slot",
    rows: [...native, ...emulated],
  };
}

async function emulatedUpdate(rounds: number): Promise<BenchRow> {
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
    const about = `${blocks} MiB, 1 GiB of memory, two processors under ${name}, the median of ${rounds}`;
    return {
      what: names.emulated,
      value,
      unit: "s",
      peer,
      peerName: "dd of the image’s bytes, direct",
      ratio: value / peer,
      note:
        name === "kvm"
          ? about
          : `${about}; unpacking and hashing cost ten to twenty times what a processor takes`,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
