// Where a machine's configuration comes from. Each kind says by facts that cost nothing whether it is there at all, so
// that no machine waits for a cloud in which it does not run.
import type { Addresses } from "../apply/addresses.ts";
import type { Clock } from "../../base/clock.ts";

export const sourceKinds = [
  "credential",
  "fw-cfg",
  "nocloud",
  "config-drive",
  "seed",
  "url",
  "ec2",
  "gce",
  "openstack",
  "azure",
] as const;
export type SourceKind = (typeof sourceKinds)[number];

/** What was found. A cloud may tell a name and keys without any user data. */
export interface Gathered {
  readonly kind: SourceKind;
  /** For people: a device, a URL without its query, a credential. */
  readonly where: string;
  readonly userData?: Uint8Array;
  /** The cloud's own name of this machine; the firmware's unless there is one. */
  readonly instance?: string;
  readonly hostname?: string;
  /** For root. */
  readonly keys: readonly string[];
  readonly addresses: Addresses;
  /** Netplan's form, as NoCloud has it. */
  readonly networkConfig?: string;
}

/** The machine's surroundings as the kernel and the firmware tell them. */
export interface Facts {
  readonly dmi: Readonly<Partial<Record<DmiField, string>>>;
  readonly commandLine: string;
  /** Folder of the credentials that this process was given. */
  readonly credentials?: string | undefined;
  /** Folder of the firmware's files, and of the disks by label. */
  readonly firmwareFiles: string;
  readonly diskLabels: string;
  /** Files in which a configuration may have come with the disk or the medium, the first to be taken. */
  readonly seeds?: readonly string[];
}

export const dmiFields = [
  "sys_vendor",
  "product_name",
  "product_uuid",
  "product_serial",
  "chassis_asset_tag",
  "bios_vendor",
] as const;
export type DmiField = (typeof dmiFields)[number];

export interface Asking {
  readonly facts: Facts;
  readonly clock: Clock;
  /** How long a source that should be there may keep silent. */
  readonly patienceMs: number;
  readonly endpoints: Endpoints;
  readonly openDisk: OpenDisk;
  readonly signal?: AbortSignal | undefined;
}

/** Bases of the clouds' services; other ones in tests. */
export interface Endpoints {
  readonly ec2: string;
  readonly gce: string;
  readonly openstack: string;
  readonly azure: string;
  /** Where Azure is told that the machine is up. */
  readonly azureWire: string;
}

export const defaultEndpoints: Endpoints = {
  ec2: "http://169.254.169.254",
  gce: "http://169.254.169.254",
  openstack: "http://169.254.169.254",
  azure: "http://169.254.169.254",
  azureWire: "http://168.63.129.16",
};

/** A file system that was mounted read-only; closed, it is unmounted. */
export interface Disk extends AsyncDisposable {
  readonly device: string;
  /** Undefined when there is no such file. Rejects when it is larger than `maxBytes`. */
  read(path: string, maxBytes: number): Promise<Buffer | undefined>;
}

/** Undefined when no disk has one of the labels. */
export type OpenDisk = (labels: readonly string[]) => Promise<Disk | undefined>;

export interface Source {
  readonly kind: SourceKind;
  /** Local ones are asked before the network is up. */
  readonly isLocal: boolean;
  /** Whether it may be there at all. Costs nothing. */
  readonly isThere: (facts: Facts) => boolean;
  /** Undefined when it has nothing for this machine. Rejects with KEEL-842 when it should answer and does not. */
  readonly read: (asking: Asking) => Promise<Gathered | undefined>;
}

/** Bytes that a disk or a service may hand out as user data. */
export const maxUserData = 512 << 10;
