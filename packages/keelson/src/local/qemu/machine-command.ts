// The command that runs one machine of a local cluster.
import { dirname } from "node:path";
import type { MachinePaths } from "../launch.ts";
import type { MachineRecord } from "../machine-records.ts";
import { containerName } from "../names.ts";
import { emulatorCommand, emulatorProgram, firmwareFiles } from "./emulator.ts";
import { hostCablePort, loopbackAddress } from "./host-cable.ts";
import { hardwareAddress } from "./identity.ts";
import { diskFile, variablesFile } from "./machine-disk.ts";
import type { QemuBase } from "./machine-disk.ts";
import { emulatorArguments } from "./virtual-machine.ts";
import type { NamedFile } from "./virtual-machine.ts";

export interface MachineParts {
  readonly base: QemuBase;
  readonly paths: MachinePaths;
  /** The image that the machine's disk lies over. */
  readonly image: string;
  readonly credentials: readonly NamedFile[];
  readonly cluster: string;
  /** The host's end of the machine's cable on the bridge. */
  readonly port: string;
  /** The path of QEMU's control socket. */
  readonly control: string;
  readonly slowness: number;
}

/** The argv of QEMU for a machine, from the tools' tree where the cluster uses one. */
export function localMachineCommand(record: MachineRecord, parts: MachineParts): string[] {
  const { base, paths, image, credentials, cluster, port, control, slowness } = parts;
  const { name, address, machineId } = record;
  const hardware = (cable: "bridge" | "host"): string => hardwareAddress(cluster, name, cable);
  const argv = emulatorArguments({
    name: containerName(cluster, name),
    uuid: machineId,
    accelerator: base.accelerator,
    memoryBytes: record.memoryBytes ?? base.memoryBytes,
    processors: record.processors ?? base.processors,
    firmware: { code: firmwareFiles.code, variables: variablesFile(paths) },
    disks: [{ file: diskFile(paths), format: "qcow2" }],
    cables: [
      { kind: "bridge", port, hardwareAddress: hardware("bridge") },
      {
        kind: "host",
        hardwareAddress: hardware("host"),
        from: `${loopbackAddress(address)}:${hostCablePort}`,
        to: 22,
      },
    ],
    kernelWords: patience(slowness),
    credentials,
    control,
    console: paths.console,
  });
  const binds = [dirname(image), paths.folder, dirname(control)];
  return emulatorCommand(base.tools, [emulatorProgram, ...argv], binds);
}

/** Words by which systemd waits longer for units and devices where everything takes longer: 90 s is its default. */
function patience(slowness: number): string[] {
  const span = `${90 * slowness}s`;
  return [`systemd.default_timeout_start_sec=${span}`, `systemd.default_device_timeout_sec=${span}`];
}
