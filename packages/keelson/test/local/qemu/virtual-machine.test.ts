import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { emulatorArguments, longestFirmwareName } from "../../../src/local/qemu/virtual-machine.ts";
import type { VirtualMachine } from "../../../src/local/qemu/virtual-machine.ts";

const machine: VirtualMachine = {
  name: "kabcde-m1",
  uuid: "0123456789abcdef0123456789abcdef",
  accelerator: "tcg",
  memoryBytes: 2 ** 30,
  processors: 2,
  firmware: { code: "/ovmf/code.fd", variables: "/m1/variables.fd" },
  disks: [{ file: "/m1/disk.qcow2", format: "qcow2" }],
  cables: [
    { kind: "bridge", port: "vb-kabcde-m1", hardwareAddress: "02:00:00:00:00:01" },
    { kind: "host", hardwareAddress: "02:00:00:00:00:02", from: "127.205.7.11:7422", to: 22 },
  ],
  credentials: [{ name: "keelson.config", path: "/m1/handed/keelson.config" }],
  control: "/run/keelson/lab/machines/m1.control",
  console: "/m1/console.log",
};

/** The values of an option that may be given several times. */
function valuesOf(argv: readonly string[], option: string): string[] {
  return argv.flatMap((word, i) => (word === option ? [argv[i + 1] ?? ""] : []));
}

describe("QEMU's arguments", () => {
  test("name disks, cables, console and control socket", () => {
    const argv = emulatorArguments(machine);
    assert.deepEqual(valuesOf(argv, "-uuid"), ["01234567-89ab-cdef-0123-456789abcdef"]);
    assert.deepEqual(valuesOf(argv, "-m"), ["size=1024M"]);
    assert.deepEqual(valuesOf(argv, "-drive"), [
      "if=pflash,unit=0,format=raw,readonly=on,file=/ovmf/code.fd",
      "if=pflash,unit=1,format=raw,file=/m1/variables.fd",
      "if=none,id=disk0,format=qcow2,file=/m1/disk.qcow2,discard=unmap,detect-zeroes=unmap",
    ]);
    assert.deepEqual(valuesOf(argv, "-netdev"), [
      "tap,id=cable0,ifname=vb-kabcde-m1,script=no,downscript=no",
      "user,id=cable1,ipv6=off,restrict=on,hostfwd=tcp:127.205.7.11:7422-10.0.2.15:22",
    ]);
    assert.deepEqual(valuesOf(argv, "-chardev"), [
      "file,id=console,path=/m1/console.log,append=on",
      "socket,id=control,path=/run/keelson/lab/machines/m1.control,server=on,wait=off",
    ]);
  });

  test("hand credentials over by file: their content is in no list of processes", () => {
    assert.deepEqual(valuesOf(emulatorArguments(machine), "-fw_cfg"), [
      "name=opt/io.systemd.credentials/keelson.config,file=/m1/handed/keelson.config",
    ]);
  });

  test("give the machine no way to start programs of the host, and no device that it was not asked for", () => {
    const argv = emulatorArguments(machine);
    assert.match(valuesOf(argv, "-sandbox")[0] ?? "", /^on,.*elevateprivileges=deny,spawn=deny/);
    assert.ok(argv.includes("-nodefaults") && argv.includes("-no-user-config"));
  });

  test("emulate a processor, or use the host's", () => {
    assert.match(valuesOf(emulatorArguments(machine), "-accel")[0] ?? "", /^tcg,/);
    const kvm = emulatorArguments({ ...machine, accelerator: "kvm" });
    assert.deepEqual(valuesOf(kvm, "-accel"), ["kvm"]);
    assert.deepEqual(valuesOf(kvm, "-cpu"), ["host"]);
  });

  test("Secure Boot's firmware gets the mode that keeps its variables from the system", () => {
    const argv = emulatorArguments({
      ...machine,
      firmware: { code: "/c", variables: "/v", secure: true },
    });
    assert.match(valuesOf(argv, "-machine")[0] ?? "", /smm=on/);
    assert.ok(argv.includes("driver=cfi.pflash01,property=secure,value=on"));
    const bios: VirtualMachine = (({ firmware: _firmware, ...rest }) => rest)(machine);
    assert.ok(!emulatorArguments(bios).join(" ").includes("pflash"));
  });

  test("boot a kernel directly, an optical disk, a disk that is only read", () => {
    const argv = emulatorArguments({
      ...machine,
      kernel: { image: "/k", initrd: "/i", commandLine: "quiet" },
      disks: [
        { file: "/cd.iso", format: "raw", optical: true },
        { file: "/seed", format: "raw", readOnly: true, serial: "seed" },
      ],
    });
    assert.deepEqual([...valuesOf(argv, "-kernel"), ...valuesOf(argv, "-initrd")], ["/k", "/i"]);
    const devices = valuesOf(argv, "-device");
    // The kernel itself is the first that firmware tries.
    assert.ok(devices.includes("ide-cd,drive=disk0,bootindex=1"));
    assert.ok(devices.includes("virtio-blk-pci,drive=disk1,bootindex=2,serial=seed"));
    assert.equal(argv.filter((word) => word.includes("readonly=on,file=/ovmf")).length, 1);
  });

  test("hand words for the kernel's command line to systemd's stub", () => {
    const argv = emulatorArguments({ ...machine, kernelWords: ["one=1", "two=2,3"] });
    const value = "io.systemd.stub.kernel-cmdline-extra=one=1 two=2,,3";
    assert.deepEqual(valuesOf(argv, "-smbios"), [`type=11,value=${value}`]);
  });

  test("no path can add an option of its own", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (path) => {
        const argv = emulatorArguments({ ...machine, disks: [{ file: path, format: "raw" }] });
        const drive = valuesOf(argv, "-drive").at(-1) ?? "";
        const file = /(?:^|[^,],)file=((?:[^,]|,,)*)/su.exec(drive)?.[1] ?? "";
        assert.equal(file.replaceAll(",,", ","), path);
      }),
    );
  });

  test("refuse a credential whose name the device cannot hold", () => {
    const named = (name: string): VirtualMachine => ({ ...machine, credentials: [{ name, path: "/p" }] });
    const longest = "n".repeat(longestFirmwareName - "opt/io.systemd.credentials/".length);
    emulatorArguments(named(longest));
    assert.throws(() => emulatorArguments(named(`${longest}n`)), TypeError);
    assert.throws(() => emulatorArguments(named("a,file=/etc/shadow")), TypeError);
  });
});
