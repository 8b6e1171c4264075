// QEMU's command line, from data. No secret is in it: what a machine is told is named by file.
import type { Accelerator } from "./accelerator.ts";

export interface VirtualMachine {
  /** Shown in lists of processes. */
  readonly name: string;
  /** 32 hexadecimal digits: the firmware's serial number, from which systemd takes the machine's id. */
  readonly uuid?: string;
  readonly accelerator: Accelerator["name"];
  readonly memoryBytes: number;
  readonly processors: number;
  /** BIOS when undefined. */
  readonly firmware?: Firmware;
  /** Boots a kernel without firmware's help. */
  readonly kernel?: {
    readonly image: string;
    readonly initrd?: string;
    readonly commandLine: string;
  };
  readonly disks: readonly Disk[];
  readonly cables: readonly Cable[];
  /** More words for the kernel's command line, taken by systemd's stub, behind its own words. */
  readonly kernelWords?: readonly string[];
  /** systemd's credentials: files by name. */
  readonly credentials: readonly NamedFile[];
  /** Files that the machine's firmware configuration device offers under other names. */
  readonly firmwareFiles?: readonly NamedFile[];
  /** QEMU's control socket. */
  readonly control: string;
  /** Where its serial console's output is added. */
  readonly console: string;
}

export interface Firmware {
  readonly code: string;
  /** A copy of the machine's own. */
  readonly variables: string;
  /** Code that demands it for Secure Boot: system management mode. */
  readonly secure?: boolean;
}

export interface Disk {
  readonly file: string;
  readonly format: "raw" | "qcow2";
  readonly readOnly?: boolean;
  readonly serial?: string;
  /** A drive for optical disks. */
  readonly optical?: boolean;
}

export type Cable =
  | {
      readonly kind: "bridge";
      /** A tap device of the host. */
      readonly port: string;
      readonly hardwareAddress: string;
    }
  | {
      /** Reaches one port of the machine from the host's loopback, and nothing the other way round. */
      readonly kind: "host";
      readonly hardwareAddress: string;
      /** HOST:PORT on the host. */
      readonly from: string;
      /** The port of the machine. */
      readonly to: number;
      /** Lets the machine reach the host's loopback as 10.0.2.2, and the world: for tests. */
      readonly outward?: boolean;
    };

export interface NamedFile {
  readonly name: string;
  readonly path: string;
}

/** The machine's address on a cable of the kind `host`. */
export const hostCableAddress = "10.0.2.15";
export const hostCableGateway = "10.0.2.2";

const credentialFolder = "opt/io.systemd.credentials/";
/** The longest name that the device takes, with its folder. */
export const longestFirmwareName = 55;

type Option = readonly [name: string, value: string];

/** QEMU's arguments. Throws a TypeError for what the firmware configuration device cannot carry. */
export function emulatorArguments(machine: VirtualMachine): string[] {
  const { uuid, firmware, kernel, kernelWords = [] } = machine;
  const credentials = machine.credentials.map(({ name, path }) => ({ name: credentialFolder + name, path }));
  const options: readonly Option[] = [
    ["-name", `${escape(machine.name)},process=qemu`],
    ["-display", "none"],
    ["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ["-machine", `q35,usb=off,vmport=off,smm=${firmware?.secure === true ? "on" : "off"}`],
    ...processorOptions(machine),
    ["-m", `size=${Math.floor(machine.memoryBytes / 2 ** 20)}M`],
    ...(uuid === undefined ? [] : [["-uuid", dashed(uuid)] as const]),
    ...(firmware === undefined ? [] : firmwareOptions(firmware)),
    ...(kernel === undefined ? [] : kernelOptions(kernel)),
    ...(kernelWords.length === 0 ? [] : [kernelWordsOption(kernelWords)]),
    ...machine.disks.flatMap((disk, index) =>
      diskOptions(disk, { index, order: index + (kernel === undefined ? 0 : 1) }),
    ),
    ...machine.cables.flatMap(cableOptions),
    ["-device", "virtio-rng-pci"],
    ["-chardev", `file,id=console,path=${escape(machine.console)},append=on`],
    ["-serial", "chardev:console"],
    ["-chardev", `socket,id=control,path=${escape(machine.control)},server=on,wait=off`],
    ["-mon", "chardev=control,mode=control"],
    ...[...credentials, ...(machine.firmwareFiles ?? [])].map(fileOption),
  ];
  return ["-nodefaults", "-no-user-config", ...options.flat()];
}

function processorOptions({ accelerator, processors }: VirtualMachine): Option[] {
  const isKvm = accelerator === "kvm";
  return [
    ["-accel", isKvm ? "kvm" : "tcg,thread=multi,tb-size=256"],
    ["-cpu", isKvm ? "host" : "max"],
    ["-smp", String(processors)],
  ];
}

function firmwareOptions({ code, variables, secure = false }: Firmware): Option[] {
  const guarded: Option[] = secure ? [["-global", "driver=cfi.pflash01,property=secure,value=on"]] : [];
  return [
    ...guarded,
    ["-drive", `if=pflash,unit=0,format=raw,readonly=on,file=${escape(code)}`],
    ["-drive", `if=pflash,unit=1,format=raw,file=${escape(variables)}`],
  ];
}

function kernelOptions({ image, initrd, commandLine }: NonNullable<VirtualMachine["kernel"]>): Option[] {
  const files: Option[] = initrd === undefined ? [] : [["-initrd", initrd]];
  return [["-kernel", image], ...files, ["-append", commandLine]];
}

function kernelWordsOption(words: readonly string[]): Option {
  return ["-smbios", `type=11,value=${escape(`io.systemd.stub.kernel-cmdline-extra=${words.join(" ")}`)}`];
}

/** `order` is the place among all that firmware may start from: a kernel that is given takes the first itself. */
function diskOptions(
  disk: Disk,
  { index, order }: { readonly index: number; readonly order: number },
): Option[] {
  const { file, format, readOnly = false, serial, optical = false } = disk;
  const id = `disk${index}`;
  const access = readOnly || optical ? "readonly=on" : "discard=unmap,detect-zeroes=unmap";
  const device = optical ? "ide-cd" : "virtio-blk-pci";
  const named = serial === undefined ? "" : `,serial=${escape(serial)}`;
  return [
    ["-drive", `if=none,id=${id},format=${format},file=${escape(file)},${access}`],
    ["-device", `${device},drive=${id},bootindex=${order}${named}`],
  ];
}

function cableOptions(cable: Cable, index: number): Option[] {
  const id = `cable${index}`;
  const device: Option = ["-device", `virtio-net-pci,netdev=${id},mac=${cable.hardwareAddress},romfile=`];
  if (cable.kind === "bridge")
    return [["-netdev", `tap,id=${id},ifname=${cable.port},script=no,downscript=no`], device];
  const { from, to, outward = false } = cable;
  const forward = `hostfwd=tcp:${from}-${hostCableAddress}:${to}`;
  return [["-netdev", `user,id=${id},ipv6=off,restrict=${outward ? "off" : "on"},${forward}`], device];
}

function fileOption({ name, path }: NamedFile): Option {
  if (name.length > longestFirmwareName || !/^opt\/[\w./@~-]+$/.test(name))
    throw new TypeError(`${name} cannot be handed to a machine: at most ${longestFirmwareName} characters`);
  return ["-fw_cfg", `name=${name},file=${escape(path)}`];
}

function dashed(uuid: string): string {
  return uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** A comma ends an option unless it is doubled. */
function escape(text: string): string {
  return text.replaceAll(",", ",,");
}
