// The forms in which a build leaves the house.

export const exportFormats = [
  "raw",
  "qcow2",
  "openstack",
  "vhd",
  "vhd-dynamic",
  "vhdx",
  "vmdk",
  "ova",
  "gce",
  "iso",
  "pxe",
] as const;
export type ExportFormat = (typeof exportFormats)[number];

export interface FormatFacts {
  /** Of the file; a folder has none. */
  readonly extension: string;
  /** For whom. */
  readonly what: string;
  /** The disk's bytes are rounded up to a multiple of this. */
  readonly multiple: number;
  /** Whether two exports of one build are the same bytes. */
  readonly repeatable: boolean;
}

const mebibyte = 1 << 20;
const gibibyte = 1 << 30;

export const formatFacts: Readonly<Record<ExportFormat, FormatFacts>> = {
  raw: {
    extension: "raw",
    what: "a disk byte for byte, with holes",
    multiple: mebibyte,
    repeatable: true,
  },
  qcow2: { extension: "qcow2", what: "QEMU, libvirt, Proxmox", multiple: mebibyte, repeatable: true },
  openstack: {
    extension: "openstack.qcow2",
    what: "OpenStack, compressed",
    multiple: mebibyte,
    repeatable: true,
  },
  vhd: { extension: "vhd", what: "Azure: fixed size", multiple: mebibyte, repeatable: true },
  "vhd-dynamic": {
    extension: "dynamic.vhd",
    what: "XenServer and others: grows as it is used",
    multiple: mebibyte,
    repeatable: true,
  },
  vhdx: { extension: "vhdx", what: "Hyper-V, generation 2", multiple: mebibyte, repeatable: false },
  vmdk: { extension: "vmdk", what: "VMware, stream-optimised", multiple: mebibyte, repeatable: true },
  ova: {
    extension: "ova",
    what: "VMware and VirtualBox: machine and disk",
    multiple: mebibyte,
    repeatable: true,
  },
  gce: { extension: "gce.tar.gz", what: "Google Compute Engine", multiple: gibibyte, repeatable: true },
  iso: { extension: "iso", what: "a medium that starts and installs", multiple: mebibyte, repeatable: true },
  pxe: { extension: "pxe", what: "a folder for network boot", multiple: mebibyte, repeatable: true },
};
